//! The bias of a matrix product.

pub(crate) mod cpu;

use super::{Res, T1, T2};
use dfdx::prelude::*;

/// The definition: `x + b`, row by row.
pub fn composed<D: Device<f32>, T: Tape<f32, D> + Merge<T>>(x_no: T2<D, T>, b_o: &T1<D>) -> Res<T2<D, T>, D> {
    let b_no = b_o.clone().try_broadcast_like::<_, Axis<0>>(x_no.shape())?;
    x_no.try_add(b_no)
}
