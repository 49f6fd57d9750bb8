//! Angles of rotary positions, by every law that changes them.

use std::f64::consts::TAU;
use std::sync::Arc;

use crate::Architecture;
use crate::spec::{Order, Rotary, Stretch};

/// Cosine and sine of every position and pair: `angle = position * frequency`. YaRN's factor on queries and keys is in
/// both.
#[derive(Clone, Debug)]
pub struct RopeTables {
    /// Entries of a position: half the head width, 0 without rotary positions.
    pub(crate) half: usize,
    pub(crate) cos: Arc<[f32]>,
    pub(crate) sin: Arc<[f32]>,
}

impl RopeTables {
    /// Tables for all positions of a model, angles in f64.
    pub fn new(spec: &Architecture) -> Self {
        let Order::Rotary(rotary) = &spec.order else {
            return Self { half: 0, cos: [].into(), sin: [].into() };
        };
        let half = spec.head_dim / 2;
        let frequencies = frequencies(rotary, spec.head_dim);
        let factor = if let Stretch::Yarn { attention, .. } = rotary.stretch { attention } else { 1.0 };
        let angles = (0..spec.context * half).map(|at| (at / half) as f64 * frequencies[at % half]);
        let pairs = angles.map(|a| ((a.cos() * factor) as f32, (a.sin() * factor) as f32));
        let (cos, sin): (Vec<f32>, Vec<f32>) = pairs.unzip();
        Self { half, cos: cos.into(), sin: sin.into() }
    }

    /// The tables of tokens that stand at these positions.
    pub(crate) fn gather(&self, positions: impl Iterator<Item = usize> + Clone) -> Self {
        let table = |of: &[f32]| {
            positions.clone().flat_map(|at| of[at * self.half..][..self.half].to_vec()).collect()
        };
        Self { half: self.half, cos: table(&self.cos), sin: table(&self.sin) }
    }

    /// The entries of one position.
    pub(crate) fn at(&self, position: usize) -> (&[f32], &[f32]) {
        let range = position * self.half..(position + 1) * self.half;
        (&self.cos[range.clone()], &self.sin[range])
    }
}

/// Radians per position of every pair of a head of width `d`.
pub(super) fn frequencies(rotary: &Rotary, d: usize) -> Vec<f64> {
    let plain = |i: usize| rotary.base.powf(-2.0 * i as f64 / d as f64);
    let blend = |w: f64, kept: f64, factor: f64| kept * w + (1.0 - kept) * w / factor;
    let of = |i: usize| match rotary.stretch {
        Stretch::None => plain(i),
        Stretch::Linear { factor } => plain(i) / factor,
        Stretch::Llama3 { factor, low, high, original } => {
            let turns = original as f64 * plain(i) / TAU;
            blend(plain(i), ((turns - low) / (high - low)).clamp(0.0, 1.0), factor)
        }
        // Peng et al. 2023, section 3.2, with the bounds of their code.
        Stretch::Yarn { factor, original, fast, slow, .. } => {
            let pair =
                |turns: f64| d as f64 * (original as f64 / (turns * TAU)).ln() / (2.0 * rotary.base.ln());
            let low = pair(fast).floor().max(0.0);
            let high = pair(slow).ceil().min(d as f64 - 1.0);
            let high = if high == low { low + 0.001 } else { high };
            blend(plain(i), 1.0 - ((i as f64 - low) / (high - low)).clamp(0.0, 1.0), factor)
        }
    };
    (0..d / 2).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(stretch: Stretch) -> Vec<f64> {
        frequencies(&Rotary { base: 500_000.0, stretch, chunks: None }, 128)
    }

    #[test]
    fn long_wavelengths_are_stretched_and_short_ones_kept() {
        let plain = at(Stretch::None);
        let stretched = [
            at(Stretch::Llama3 { factor: 8.0, low: 1.0, high: 4.0, original: 8192 }),
            at(Stretch::Yarn { factor: 8.0, original: 8192, fast: 32.0, slow: 1.0, attention: 1.2 }),
        ];
        for found in stretched {
            assert_eq!((found[0], found[63]), (plain[0], plain[63] / 8.0));
            let blended = found.iter().zip(&plain).filter(|(f, p)| **f < **p && **f > **p / 8.0).count();
            assert!((5..40).contains(&blended), "{blended} between");
            assert!(found.windows(2).all(|w| w[1] < w[0]), "never rising");
        }
        let linear = at(Stretch::Linear { factor: 4.0 });
        assert!(linear.iter().zip(&plain).all(|(f, p)| *f == p / 4.0));
    }
}
