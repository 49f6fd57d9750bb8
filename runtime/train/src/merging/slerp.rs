//! Along the arc between two models, or between what they changed of a base.

use llmp_stdlib::arg::ModelRef;

use super::arc::arc;
use super::{Blend, Tensor, change};
use crate::kinds::merge::Slerp;

/// Models that are this near go along the straight line, as in mergekit: near a model arc and line are one, and the quotient
/// of two small sines is inexact.
const NEAR: f64 = 0.9995;

/// Changes are compared as they are: only those along one line have no arc.
pub(super) const ALONG: f64 = 1.0 - 1e-14;

impl Blend for Slerp {
    fn models(&self) -> Vec<&ModelRef> {
        vec![&self.a, &self.b]
    }

    fn base(&self) -> Option<&ModelRef> {
        self.base.as_ref()
    }

    fn blend(&self, tensor: &Tensor<'_>) -> Vec<f32> {
        let [a, b] = tensor.models else { return Vec::new() };
        if self.base.is_none() {
            return arc(a, b, self.t, NEAR);
        }
        let way = arc(&change(a, tensor.base), &change(b, tensor.base), self.t, ALONG);
        tensor.base.iter().zip(way).map(|(base, way)| base + way).collect()
    }
}
