//! The base plus the weighted sum of what each model changed (Ilharco et al. 2023).

use llmp_stdlib::arg::ModelRef;

use super::{Blend, Tensor, change, weights_or};
use crate::kinds::merge::TaskArithmetic;

impl Blend for TaskArithmetic {
    fn models(&self) -> Vec<&ModelRef> {
        self.models.iter().collect()
    }

    fn base(&self) -> Option<&ModelRef> {
        Some(&self.base)
    }

    fn blend(&self, tensor: &Tensor<'_>) -> Vec<f32> {
        let changes = tensor.models.iter().map(|model| change(model, tensor.base));
        added(tensor.base, changes, &weights_or(&self.weights, self.models.len(), 1.0))
    }
}

/// The base plus the weighted sum of changes.
pub(super) fn added(base: &[f32], changes: impl Iterator<Item = Vec<f32>>, weights: &[f32]) -> Vec<f32> {
    let mut sum = vec![0.0f64; base.len()];
    for (change, weight) in changes.zip(weights) {
        sum.iter_mut().zip(change).for_each(|(sum, x)| *sum += f64::from(*weight) * f64::from(x));
    }
    base.iter().zip(sum).map(|(base, sum)| (f64::from(*base) + sum) as f32).collect()
}
