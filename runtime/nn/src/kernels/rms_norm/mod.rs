//! Root-mean-square normalisation (Zhang and Sennrich 2019).

pub(crate) mod cpu;

use super::{Res, T1, T2, twice};
use dfdx::prelude::*;

/// The definition: `x * gain / sqrt(mean(x^2) + eps)`, row by row.
pub fn composed<D: Device<f32>, T: Tape<f32, D> + Merge<T>>(
    x_nc: T2<D, T>,
    gain_c: &T1<D>,
    eps: f32,
) -> Res<T2<D, T>, D> {
    let shape = *x_nc.shape();
    let (x, again) = twice(x_nc);
    let mean = again.try_square()?.try_mean::<(usize,), Axis<1>>()?;
    let inverse = mean.try_add(eps)?.try_sqrt()?.try_recip()?;
    let normed = x.try_mul(inverse.try_broadcast_like::<_, Axis<1>>(&shape)?)?;
    normed.try_mul(gain_c.clone().try_broadcast_like::<_, Axis<0>>(&shape)?)
}
