//! Changes with most entries dropped at random and the rest scaled up, so that their mean stays (Yu et al. 2023).

use llmp_stdlib::arg::ModelRef;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::task_arithmetic::added;
use super::{Blend, Tensor, change, weights_or};
use crate::kinds::merge::Dare;

impl Blend for Dare {
    fn models(&self) -> Vec<&ModelRef> {
        self.models.iter().collect()
    }

    fn base(&self) -> Option<&ModelRef> {
        Some(&self.base)
    }

    fn blend(&self, tensor: &Tensor<'_>) -> Vec<f32> {
        let (count, kept) = (self.models.len(), 1.0 - self.drop);
        let thinned = (0u64..).zip(tensor.models).map(|(model, values)| {
            let mut random = stream(self.seed, model, tensor.name);
            let mut change = change(values, tensor.base);
            for x in &mut change {
                *x = if random.random_range(0.0..1.0) < kept { (f64::from(*x) / kept) as f32 } else { 0.0 };
            }
            change
        });
        added(tensor.base, thinned, &weights_or(&self.weights, count, 1.0 / count as f64))
    }
}

/// The random stream of a tensor of a model: the same whatever is merged beside it and in whatever order tensors are written.
fn stream(seed: u64, model: u64, tensor: &str) -> ChaCha8Rng {
    // FNV-1a, as the streams of stages.
    let bytes = seed.to_le_bytes().into_iter().chain(model.to_le_bytes()).chain(tensor.bytes());
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    ChaCha8Rng::seed_from_u64(bytes.fold(0xcbf2_9ce4_8422_2325, mix))
}
