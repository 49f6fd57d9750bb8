//! Normalisation of rows: by the root mean square (Zhang and Sennrich 2019), or centred by the standard deviation (Ba
//! et al. 2016).

pub(crate) mod cpu;
#[cfg(any(feature = "cuda", test))]
pub(crate) mod cuda;

use super::{Res, T1, T2, twice};
use crate::spec::NormForm;
use dfdx::prelude::*;

/// The definition: `x * gain / sqrt(mean(x^2) + eps)`, row by row; centred first unless `rms`, with `1 + gain` where
/// the gain is stored less one, plus the bias where there is one.
pub fn composed<D: Device<f32>, T: Tape<f32, D> + Merge<T>>(
    x_nc: T2<D, T>,
    gain_c: &T1<D>,
    bias_c: Option<&T1<D>>,
    form: &NormForm,
) -> Res<T2<D, T>, D> {
    let shape = *x_nc.shape();
    let x = if form.rms {
        x_nc
    } else {
        let (x, again) = twice(x_nc);
        let mean = again.try_mean::<(usize,), Axis<1>>()?;
        x.try_sub(mean.try_broadcast_like::<_, Axis<1>>(&shape)?)?
    };
    let (x, again) = twice(x);
    let mean = again.try_square()?.try_mean::<(usize,), Axis<1>>()?;
    let inverse = mean.try_add(form.eps as f32)?.try_sqrt()?.try_recip()?;
    let normed = x.try_mul(inverse.try_broadcast_like::<_, Axis<1>>(&shape)?)?;
    let gain = gain_c.clone().try_broadcast_like::<_, Axis<0>>(&shape)?;
    let y = if form.offset {
        let (normed, again) = twice(normed);
        normed.try_mul(gain)?.try_add(again)?
    } else {
        normed.try_mul(gain)?
    };
    match bias_c {
        Some(bias) => y.try_add(bias.clone().try_broadcast_like::<_, Axis<0>>(&shape)?),
        None => Ok(y),
    }
}
