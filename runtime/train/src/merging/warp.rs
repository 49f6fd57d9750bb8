//! The arc between what models changed, then a part of the way there (WARP, Ramé et al. 2024: slerp and LITI).

use llmp_stdlib::arg::ModelRef;

use super::arc::arc;
use super::slerp::ALONG;
use super::{Blend, Tensor, change};
use crate::kinds::merge::Warp;

impl Blend for Warp {
    fn models(&self) -> Vec<&ModelRef> {
        self.models.iter().collect()
    }

    fn base(&self) -> Option<&ModelRef> {
        Some(&self.base)
    }

    fn blend(&self, tensor: &Tensor<'_>) -> Vec<f32> {
        let mut way = Vec::new();
        for (number, model) in tensor.models.iter().enumerate() {
            let next = change(model, tensor.base);
            way = match number {
                0 => next,
                1 => arc(&way, &next, self.slerp, ALONG),
                // Every model has the same part in the whole.
                more => arc(&way, &next, 1.0 / (more + 1) as f64, ALONG),
            };
        }
        let step = |(base, way): (&f32, f32)| (f64::from(*base) + self.toward * f64::from(way)) as f32;
        tensor.base.iter().zip(way).map(step).collect()
    }
}
