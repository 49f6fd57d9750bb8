//! The definition of attention in plain tensor operations.
//!
//! Legend: b rows, t positions, h query heads, k key heads, g heads per group, d head width, e half of it.

use dfdx::prelude::*;

use super::{Geometry, Positions};
use crate::kernels::{Res, T2, twice};

type T4<D, T> = Tensor<(usize, usize, usize, usize), f32, D, T>;

/// The definition: heads split, queries and keys rotated, masked softmax, values summed. The group of query
/// heads that share a key head is folded into the rows of the queries, so no key is copied.
pub fn composed<D: Device<f32>, T: Tape<f32, D> + Merge<T>>(
    qkv: T2<D, T>,
    positions: &Positions<D>,
) -> Res<T2<D, T>, D> {
    let device = qkv.device().clone();
    let tables = positions.tensors(&device)?;
    let geometry = positions.geometry;
    let Geometry { rows: b, length: t, heads: h, kv_heads: k, head_dim: d } = geometry;
    let g = geometry.group();

    let (qkv, rest) = twice(qkv);
    let (rest, last) = twice(rest);
    let q_bhtd = heads(qkv.try_slice((.., 0..h * d))?, b, t, h, d)?;
    let k_bktd = heads(rest.try_slice((.., h * d..(h + k) * d))?, b, t, k, d)?;
    let v_bktd = heads(last.try_slice((.., (h + k) * d..(h + 2 * k) * d))?, b, t, k, d)?;
    let q_bhtd = rotate(q_bhtd, &tables.cos, &tables.sin)?;
    let k_bktd = rotate(k_bktd, &tables.cos, &tables.sin)?;

    let q = q_bhtd.try_reshape_like(&(b, k, g * t, d))?;
    let scores = q.try_matmul(k_bktd.try_permute::<_, Axes4<0, 1, 3, 2>>()?)?;
    let scores = scores.try_mul(geometry.scale())?.try_reshape_like(&(b, k, g, t, t))?;
    let mask = tables.mask.clone().try_broadcast_like::<_, Axes2<1, 2>>(scores.shape())?;
    let weights = scores.try_add(mask)?.try_softmax::<Axis<4>>()?;
    let y = weights.try_reshape_like(&(b, k, g * t, t))?.try_matmul(v_bktd)?;
    let y_bthd = y.try_reshape_like(&(b, h, t, d))?.try_permute::<_, Axes4<0, 2, 1, 3>>()?;
    y_bthd.try_reshape_like(&(b * t, h * d))
}

fn heads<D: Device<f32>, T: Tape<f32, D>>(
    x: T2<D, T>,
    b: usize,
    t: usize,
    h: usize,
    d: usize,
) -> Res<T4<D, T>, D> {
    x.try_reshape_like(&(b, t, h, d))?.try_permute::<_, Axes4<0, 2, 1, 3>>()
}

/// Turns the pair (i, i + d/2) of every head by its position's angle.
fn rotate<D: Device<f32>, T: Tape<f32, D> + Merge<T>>(
    x_bhtd: T4<D, T>,
    cos_te: &T2<D>,
    sin_te: &T2<D>,
) -> Res<T4<D, T>, D> {
    let (_, _, _, d) = *x_bhtd.shape();
    let (left, right) = twice(x_bhtd);
    let (a, a2) = twice(left.try_slice((.., .., .., 0..d / 2))?);
    let (b, b2) = twice(right.try_slice((.., .., .., d / 2..d))?);
    let shape = *a.shape();
    let cos = || cos_te.clone().try_broadcast_like::<_, Axes2<0, 1>>(&shape);
    let sin = || sin_te.clone().try_broadcast_like::<_, Axes2<0, 1>>(&shape);
    let first = a.try_mul(cos()?)?.try_sub(b.try_mul(sin()?)?)?;
    let second = b2.try_mul(cos()?)?.try_add(a2.try_mul(sin()?)?)?;
    (first, second).try_concat_along(Axis::<3>)
}
