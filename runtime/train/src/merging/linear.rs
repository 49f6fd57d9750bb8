//! The weighted mean (Wortsman et al. 2022).

use llmp_stdlib::arg::ModelRef;

use super::{Blend, Tensor, weights_or};
use crate::kinds::merge::Mean;

impl Blend for Mean {
    fn models(&self) -> Vec<&ModelRef> {
        self.models.iter().collect()
    }

    fn base(&self) -> Option<&ModelRef> {
        None
    }

    fn blend(&self, tensor: &Tensor<'_>) -> Vec<f32> {
        let weights = weights_or(&self.weights, self.models.len(), 1.0);
        let total: f64 = weights.iter().map(|w| f64::from(*w)).sum();
        let mut sum = vec![0.0f64; tensor.models.first().map_or(0, Vec::len)];
        for (model, weight) in tensor.models.iter().zip(weights) {
            sum.iter_mut().zip(model).for_each(|(sum, x)| *sum += f64::from(weight) * f64::from(*x));
        }
        sum.into_iter().map(|sum| (sum / total) as f32).collect()
    }
}
