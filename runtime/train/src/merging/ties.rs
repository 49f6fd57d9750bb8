//! Changes cut to their largest entries; where their signs differ, the heavier side wins (Yadav et al. 2023).

use llmp_stdlib::arg::ModelRef;

use super::{Blend, Tensor, change, weights_or};
use crate::kinds::merge::Ties;

impl Blend for Ties {
    fn models(&self) -> Vec<&ModelRef> {
        self.models.iter().collect()
    }

    fn base(&self) -> Option<&ModelRef> {
        Some(&self.base)
    }

    fn blend(&self, tensor: &Tensor<'_>) -> Vec<f32> {
        let weights = weights_or(&self.weights, self.models.len(), 1.0);
        let mut changes: Vec<Vec<f32>> =
            tensor.models.iter().map(|model| change(model, tensor.base)).collect();
        for (change, weight) in changes.iter_mut().zip(&weights) {
            keep_largest(change, self.density);
            change.iter_mut().for_each(|x| *x *= weight);
        }
        let elected = |(at, base): (usize, &f32)| {
            let all = || changes.iter().map(move |change: &Vec<f32>| change[at]);
            let positive = all().sum::<f32>() >= 0.0;
            // A weight counts only where its model changed something in the elected direction.
            let agree = |x: f32| if positive { x > 0.0 } else { x < 0.0 };
            let voters = all().zip(&weights).filter(|(x, _)| agree(*x));
            let (sum, weight) =
                voters.fold((0.0, 0.0), |(sum, total), (x, weight)| (sum + x, total + weight));
            base + if weight == 0.0 { sum } else { sum / weight }
        };
        tensor.base.iter().enumerate().map(elected).collect()
    }
}

/// Sets all but the share `density` of the entries to 0, those of the largest sizes stay; of equal ones the first.
fn keep_largest(values: &mut [f32], density: f64) {
    let kept = match (density * values.len() as f64) as usize {
        _ if density <= 0.0 => 0,
        kept => kept.clamp(1, values.len().max(1)),
    };
    if kept >= values.len() {
        return;
    }
    if kept == 0 {
        values.fill(0.0);
        return;
    }
    let mut sizes: Vec<f32> = values.iter().map(|x| x.abs()).collect();
    let (larger, border, _) = sizes.select_nth_unstable_by(kept - 1, |a, b| b.total_cmp(a));
    let border = *border;
    let mut left = kept - larger.iter().filter(|x| **x > border).count();
    for x in values {
        let size = x.abs();
        if size < border || (size == border && left == 0) {
            *x = 0.0;
        } else if size == border {
            left -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_entries_stay_and_of_equal_ones_the_first() {
        let kept = |density| {
            let mut values = [1.0, -3.0, 2.0, -2.0, 2.0];
            keep_largest(&mut values, density);
            values
        };
        assert_eq!(kept(0.2), [0.0, -3.0, 0.0, 0.0, 0.0]);
        assert_eq!(kept(0.6), [0.0, -3.0, 2.0, -2.0, 0.0]);
        assert_eq!(kept(0.01), [0.0, -3.0, 0.0, 0.0, 0.0]);
        assert_eq!(kept(0.0), [0.0; 5]);
        assert_eq!(kept(1.0), [1.0, -3.0, 2.0, -2.0, 2.0]);
    }
}
