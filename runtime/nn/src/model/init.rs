//! Initial weights: one random stream per parameter name, so neither order nor size of the others matters.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Model;
use crate::kernels::Kernels;
use crate::{Architecture, NnError, ParamInfo};

impl<D: Kernels> Model<D> {
    /// Random weights: matrices and tables normal(0, `init_std`), gains 1, biases 0. The two projections that
    /// write to the residual stream (`attention.o`, `ffn.down`) are scaled by `1 / sqrt(2 layers)`
    /// (Radford et al. 2019, section 2.3), so the stream's variance does not grow with depth.
    pub fn init_on(device: D, spec: Architecture, seed: u64) -> Result<Self, NnError> {
        let mut flat = Vec::with_capacity(spec.parameters() as usize);
        for info in spec.params() {
            fill(&spec, &info, seed, &mut flat);
        }
        Self::from_flat(device, spec, &flat)
    }
}

impl Model {
    /// [`Model::init_on`] the CPU.
    pub fn init(spec: Architecture, seed: u64) -> Result<Self, NnError> {
        Self::init_on(dfdx::tensor::Cpu::default(), spec, seed)
    }
}

fn fill(spec: &Architecture, info: &ParamInfo, seed: u64, flat: &mut Vec<f32>) {
    if info.shape.len() == 1 {
        let heads = info.name.ends_with("q_norm") || info.name.ends_with("k_norm");
        let form = spec.qk_norm.filter(|_| heads).unwrap_or(spec.norm);
        let start = if info.name.ends_with(".bias") || form.offset { 0.0 } else { 1.0 };
        flat.resize(flat.len() + info.count(), start);
        return;
    }
    let residual = info.name.ends_with("attention.o") || info.name.ends_with(".down");
    let depth = if residual { (2.0 * spec.layers as f64).sqrt() } else { 1.0 };
    let std = spec.init_std / depth;
    let mut normal = Normal::new(seed, &info.name);
    flat.extend((0..info.count()).map(|_| (std * normal.next()) as f32));
}

/// Standard normal numbers by Box and Muller from a ChaCha stream keyed by seed and name.
pub(crate) struct Normal {
    random: ChaCha8Rng,
    spare: Option<f64>,
}

impl Normal {
    pub(crate) fn new(seed: u64, name: &str) -> Self {
        let mut key = blake3::Hasher::new_derive_key("llmp initial weights v1");
        key.update(&seed.to_le_bytes()).update(name.as_bytes());
        Self { random: ChaCha8Rng::from_seed(*key.finalize().as_bytes()), spare: None }
    }

    /// Uniform in (0, 1].
    pub(crate) fn uniform(&mut self) -> f64 {
        ((self.random.next_u64() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn next(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * self.uniform()).sin_cos();
        self.spare = Some(radius * sin);
        radius * cos
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tests::tiny;

    #[test]
    fn a_parameter_does_not_depend_on_the_others() {
        let small = Model::init(tiny(), 7).expect("builds");
        let deep = Model::init(Architecture { layers: 3, tied: false, ..tiny() }, 7).expect("builds");
        assert_eq!(small.params()[0], deep.params()[0]);
        assert_eq!(small.params()[2], deep.params()[2]);
        assert_ne!(small.params()[5], deep.params()[5], "the depth scale differs");
        let other = Model::init(tiny(), 8).expect("builds");
        assert_ne!(small.params()[0], other.params()[0]);
    }

    #[test]
    fn moments_are_those_of_the_spec() {
        let spec = Architecture { vocab: 4096, width: 64, init_std: 0.05, ..tiny() };
        let model = Model::init(spec.clone(), 1).expect("builds");
        for (info, values) in spec.params().iter().zip(model.params()) {
            let n = values.len() as f64;
            let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
            let std = (values.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n).sqrt();
            let want = match info.name.as_str() {
                name if name.ends_with("norm") => 0.0,
                name if name.ends_with(".o") || name.ends_with("down") => 0.05 / 2.0,
                _ => 0.05,
            };
            assert!((std - want).abs() < 4.0 * 0.05 / n.sqrt(), "{}: {std} for {want}", info.name);
        }
    }
}
