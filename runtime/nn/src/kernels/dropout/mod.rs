//! Dropout: a share of the numbers becomes 0, the others grow so that the mean stays.

pub(crate) mod cpu;

use super::{Res, T2};
use dfdx::prelude::*;

/// Which random numbers a pass draws: they depend on the step and on the place in the batch, not on how the batch is
/// cut into micro-batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noise {
    /// Of the stage.
    pub seed: u64,
    /// The step.
    pub step: u64,
    /// Row of the whole batch that the first row of the pass is.
    pub row: u64,
}

/// One use of dropout in a pass.
#[derive(Clone, Copy, Debug)]
pub struct Drop {
    share: f64,
    key: u64,
    first: u64,
}

impl Drop {
    /// The use number `site` of a pass over rows of `length` positions.
    pub fn new(share: f64, noise: Noise, site: u64, length: usize) -> Self {
        Self { share, key: mix(noise.seed ^ mix(noise.step ^ mix(site))), first: noise.row * length as u64 }
    }

    /// What the numbers of the row at `position` of the pass are multiplied with.
    pub(crate) fn factors(&self, position: usize, width: usize) -> impl Iterator<Item = f32> {
        let (key, keep) = (self.key, (1.0 / (1.0 - self.share)) as f32);
        let least = (self.share * 4_294_967_296.0) as u64;
        let start = (self.first + position as u64) * width as u64;
        (start..start + width as u64).map(move |at| if mix(key ^ at) >> 32 < least { 0.0 } else { keep })
    }
}

/// The finaliser of SplitMix64 (Steele et al. 2014).
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The definition: a product with the factors.
pub fn composed<D: Device<f32>, T: Tape<f32, D> + Merge<T>>(x_nc: T2<D, T>, drop: Drop) -> Res<T2<D, T>, D> {
    let (n, c) = *x_nc.shape();
    let factors: Vec<f32> = (0..n).flat_map(|position| drop.factors(position, c)).collect();
    let factors = x_nc.device().try_tensor_from_vec(factors, (n, c))?;
    x_nc.try_mul(factors)
}
