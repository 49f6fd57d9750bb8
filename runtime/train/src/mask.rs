//! Learned masks over the hidden units of feed-forwards: soft top-k with a falling temperature (Lei et al. 2023, as AFM
//! prunes).

use llmp_nn::spec::Role;
use llmp_nn::{Architecture, Grads, Model, ParamInfo};

use crate::error::Result;
use crate::kinds::prune::SoftTopK;
use crate::prune::{best, check, cut, sizes_of};
use crate::training::Overlay;
use crate::training::overlay::parts;

/// Numbers between 0 and 1 that sum to `k`, the larger the score the larger: `min(1, exp((s + a) / t))` with the one `a`
/// that gives this sum. As the temperature `t` falls they become 1 for the `k` largest scores and 0 for the others.
///
/// The published form iterates `a`; this is what it converges to. With `k` at least the number of scores all are 1.
pub fn soft_top_k(scores: &[f64], k: usize, temperature: f64) -> Vec<f64> {
    if k >= scores.len() {
        return vec![1.0; scores.len()];
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    let power = |of: usize, over: usize| ((scores[order[of]] - scores[order[over]]) / temperature).exp();
    // Sums of the powers from each place on, as multiples of the first of them.
    let mut sums = vec![1.0; order.len()];
    for at in (0..order.len() - 1).rev() {
        sums[at] = 1.0 + sums[at + 1] * power(at + 1, at);
    }
    // The fewest that are 1: the largest of the others must not exceed it.
    let full = (0..k).find(|&full| sums[full] >= (k - full) as f64).unwrap_or(k);
    let mut mask = vec![1.0; order.len()];
    for (at, &unit) in order.iter().enumerate().skip(full) {
        mask[unit] = if full == k { 0.0 } else { (k - full) as f64 / sums[full] * power(at, full) };
    }
    mask
}

/// The slope of a loss by the scores, given its slope by the mask that [`soft_top_k`] made of them. A full unit is no
/// better for a higher score.
pub fn soft_top_k_slope(mask: &[f64], by_mask: &[f64], temperature: f64) -> Vec<f64> {
    let open = || mask.iter().zip(by_mask).filter(|(m, _)| **m < 1.0);
    let total: f64 = open().map(|(m, _)| m).sum();
    let mean = if total > 0.0 { open().map(|(m, slope)| m * slope).sum::<f64>() / total } else { 0.0 };
    let one = |(m, slope): (&f64, &f64)| if *m < 1.0 { m * (slope - mean) / temperature } else { 0.0 };
    mask.iter().zip(by_mask).map(one).collect()
}

/// One score for every hidden unit, which begins as the size of its weights; the mask is laid over what leaves the units.
#[derive(Debug)]
pub struct Mask {
    sizes: Architecture,
    settings: SoftTopK,
    kept: usize,
    /// The matrices behind the hidden units, one for each block.
    down: Vec<usize>,
}

impl Mask {
    /// A mask over a model of these sizes. Errors: units that cannot be removed.
    pub fn new(sizes: &Architecture, settings: SoftTopK, kept: usize) -> Result<Mask> {
        check(sizes, kept)?;
        let behind = |(at, info): (usize, ParamInfo)| info.name.ends_with("ffn.down").then_some(at);
        let down = sizes.params().into_iter().enumerate().filter_map(behind).collect();
        Ok(Mask { sizes: sizes.clone(), settings, kept, down })
    }

    fn temperature(&self, done: f64) -> f64 {
        let SoftTopK { temperature, last, .. } = self.settings;
        temperature * (last / temperature).powf(done)
    }

    fn masks(&self, numbers: &[f32], done: f64) -> Vec<Vec<f64>> {
        let mask = |scores: &[f32]| {
            let scores: Vec<f64> = scores.iter().map(|s| f64::from(*s)).collect();
            soft_top_k(&scores, self.kept, self.temperature(done))
        };
        numbers.chunks_exact(self.sizes.ffn.hidden).map(mask).collect()
    }
}

impl Overlay for Mask {
    fn params(&self) -> Vec<ParamInfo> {
        let one = |block| {
            let (name, shape) = (format!("blocks.{block}.ffn.mask"), vec![self.sizes.ffn.hidden]);
            ParamInfo { name, shape, role: Role::Bias, decay: false }
        };
        (0..self.sizes.layers).map(one).collect()
    }

    /// Scores of mean 0 and deviation 1 in every block, so that temperatures mean the same in all of them.
    fn begin(&self, weights: &[&[f32]]) -> Vec<f32> {
        let n = self.sizes.ffn.hidden as f64;
        let even = |scores: Vec<f64>| {
            let mean = scores.iter().sum::<f64>() / n;
            let deviation = (scores.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / n).sqrt();
            scores.into_iter().map(move |s| ((s - mean) / deviation.max(1e-9)) as f32).collect::<Vec<_>>()
        };
        sizes_of(&self.sizes, &weights.concat()).into_iter().flat_map(even).collect()
    }

    fn trains_weights(&self) -> bool {
        true
    }

    fn rate(&self) -> f64 {
        self.settings.rate
    }

    fn covers(&self) -> Vec<usize> {
        self.down.clone()
    }

    fn lay(&self, numbers: &[f32], done: f64, weights: &mut [&mut [f32]]) -> Result<()> {
        for (at, mask) in self.down.iter().zip(self.masks(numbers, done)) {
            for row in weights[*at].chunks_exact_mut(mask.len()) {
                row.iter_mut().zip(&mask).for_each(|(x, m)| *x *= *m as f32);
            }
        }
        Ok(())
    }

    fn pull(&self, numbers: &[f32], done: f64, weights: &[&[f32]], grads: &mut Grads) -> Result<Vec<f32>> {
        let mut own = Vec::with_capacity(numbers.len());
        for (at, mask) in self.down.iter().zip(self.masks(numbers, done)) {
            let mut by_mask = vec![0.0; mask.len()];
            let rows = grads.get_mut(*at).chunks_exact_mut(mask.len());
            for (slopes, row) in rows.zip(weights[*at].chunks_exact(mask.len())) {
                for (unit, (slope, x)) in slopes.iter_mut().zip(row).enumerate() {
                    by_mask[unit] += f64::from(*slope) * f64::from(*x);
                    *slope *= mask[unit] as f32;
                }
            }
            let slopes = soft_top_k_slope(&mask, &by_mask, self.temperature(done));
            own.extend(slopes.into_iter().map(|slope| slope as f32));
        }
        Ok(own)
    }

    fn finish(&self, numbers: &[f32], model: &Model) -> Result<(Architecture, Vec<f32>)> {
        let units = |scores: &[f32]| {
            let scores: Vec<f64> = scores.iter().map(|s| f64::from(*s)).collect();
            best(&scores, self.kept)
        };
        let scores = parts(&self.params(), numbers)?;
        let units: Vec<Vec<usize>> = scores.into_iter().map(units).collect();
        cut(model.spec(), &model.to_flat(), &units)
    }
}
