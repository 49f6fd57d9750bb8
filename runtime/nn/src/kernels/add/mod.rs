//! The residual sum.

pub(crate) mod cpu;

use super::{Res, T2};
use dfdx::prelude::*;

/// The definition: elementwise sum of two different tensors.
pub fn composed<D: Device<f32>, T: Tape<f32, D> + Merge<T>>(
    a_nc: T2<D, T>,
    b_nc: T2<D, T>,
) -> Res<T2<D, T>, D> {
    a_nc.try_add(b_nc)
}
