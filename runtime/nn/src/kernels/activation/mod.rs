//! The bend of a feed-forward's hidden units, gated (Shazeer 2020) or not.

pub(crate) mod cpu;
#[cfg(any(feature = "cuda", test))]
pub(crate) mod cuda;

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

/// The error function as `x P(x^2) / Q(x^2)` within 4 of 0, right to 4e-7: a minimax fit that Eigen and XLA use too.
pub(crate) const ERF_P: [f32; 7] = [
    -2.726_142e-10,
    2.770_681_5e-8,
    -2.101_024e-6,
    -5.692_506_5e-5,
    -7.349_906e-4,
    -2.954_6e-3,
    -1.609_603_3e-2,
];

/// Its denominator.
pub(crate) const ERF_Q: [f32; 5] =
    [-1.456_607_2e-5, -2.133_740_6e-4, -1.682_827e-3, -7.373_329e-3, -1.426_473_9e-2];

/// `x Phi(x)`. (The slope of dfdx's own, 0.13, lacks a factor `1 / sqrt(2)`.)
fn gelu<S: Shape, D: Device<f32>, T: Tape<f32, D> + Merge<T>>(
    x: Tensor<S, f32, D, T>,
) -> Res<Tensor<S, f32, D, T>, D> {
    let (x, again) = twice(x);
    let z = again.try_mul(std::f32::consts::FRAC_1_SQRT_2)?.try_clamp(-4.0, 4.0)?;
    let (z, square) = twice(z);
    let (square, again) = twice(square.try_square()?);
    let erf = z.try_mul(polynomial(square, &ERF_P)?)?.try_div(polynomial(again, &ERF_Q)?)?;
    x.try_mul(erf.try_add(1.0)?.try_mul(0.5)?)
}

/// By Horner's rule, the highest power first. The sum keeps the tape; what is left for later starts empty ones.
fn polynomial<S: Shape, D: Device<f32>, T: Tape<f32, D> + Merge<T>>(
    x: Tensor<S, f32, D, T>,
    coefficients: &[f32],
) -> Res<Tensor<S, f32, D, T>, D> {
    let (x, mut rest) = twice(x);
    let mut p = x.try_mul(coefficients[0])?.try_add(coefficients[1])?;
    for &c in &coefficients[2..] {
        let (x, later) = twice(rest);
        p = p.try_mul(x)?.try_add(c)?;
        rest = later;
    }
    Ok(p)
}
