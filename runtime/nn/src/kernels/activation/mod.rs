//! The bend of a feed-forward's hidden units, gated (Shazeer 2020) or not.

pub(crate) mod cpu;

use super::{Res, T2, twice};
use crate::spec::Activation;
use dfdx::prelude::*;

/// The definition: `f(x)`, or `f(gate) * up` with gate and up side by side in (n, 2f).
pub fn composed<D: Device<f32>, T: Tape<f32, D> + Merge<T>>(
    x: T2<D, T>,
    activation: Activation,
    gated: bool,
) -> Res<T2<D, T>, D> {
    if !gated {
        return bend(x, activation);
    }
    let (_, both) = *x.shape();
    let hidden = both / 2;
    let (left, right) = twice(x);
    let gate = left.try_slice((.., 0..hidden))?;
    let up = right.try_slice((.., hidden..both))?;
    bend(gate, activation)?.try_mul(up)
}

fn bend<S: Shape, D: Device<f32>, T: Tape<f32, D> + Merge<T>>(
    x: Tensor<S, f32, D, T>,
    activation: Activation,
) -> Res<Tensor<S, f32, D, T>, D> {
    match activation {
        Activation::Silu => {
            let (x, again) = twice(x);
            x.try_mul(again.try_sigmoid()?)
        }
        Activation::GeluTanh => x.try_fast_gelu(),
        Activation::Gelu => gelu(x),
        Activation::Relu2 => x.try_relu()?.try_square(),
    }
}

/// `x Phi(x) = relu(x) - |x| Phi(-|x|)` with the error function by Abramowitz and Stegun 7.1.26. (The slope of dfdx's
/// own, 0.13, lacks a factor `1 / sqrt(2)`.)
fn gelu<S: Shape, D: Device<f32>, T: Tape<f32, D> + Merge<T>>(
    x: Tensor<S, f32, D, T>,
) -> Res<Tensor<S, f32, D, T>, D> {
    let (x, again) = twice(x);
    let (z, size) = twice(again.try_abs()?);
    let (z, square) = twice(z.try_mul(std::f32::consts::FRAC_1_SQRT_2)?);
    let t = z.try_mul(0.327_591_1)?.try_add(1.0)?.try_recip()?;
    // The sum keeps the tape; what is left for later starts empty ones.
    let (t, mut rest) = twice(t);
    let mut p = t.try_mul(1.061_405_4)?.try_add(-1.453_152_1)?;
    for c in [1.421_413_8, -0.284_496_72, 0.254_829_6, 0.0] {
        let (t, later) = twice(rest);
        p = p.try_mul(t)?.try_add(c)?;
        rest = later;
    }
    let bell = square.try_square()?.try_negate()?.try_exp()?;
    let tail = p.try_mul(bell)?.try_mul(0.5)?;
    x.try_relu()?.try_sub(size.try_mul(tail)?)
}
