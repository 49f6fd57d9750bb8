//! The matrix product with a weight.

pub(crate) mod cpu;

use super::{Res, T2};
use dfdx::prelude::*;

/// The definition: `x W^T`, W as (outputs, inputs).
pub fn composed<D: Device<f32>, T: Tape<f32, D>>(x_nc: T2<D, T>, w_oc: &T2<D>) -> Res<T2<D, T>, D> {
    x_nc.try_matmul(w_oc.clone().try_permute::<_, Axes2<1, 0>>()?)
}
