//! The definition of attention in plain tensor operations.
//!
//! Legend: b rows, t positions, h query heads, k key heads, g heads per group, d head width, e half of it.

use dfdx::prelude::*;

use super::{Geometry, Positions};
use crate::kernels::{Res, T2, twice};

type T4<D, T> = Tensor<(usize, usize, usize, usize), f32, D, T>;

/// The definition: heads split, scores scaled and capped, masked softmax, values summed. The group of query
/// heads that share a key head is folded into the rows of the queries, so no key is copied.
pub fn composed<D: Device<f32>, T: Tape<f32, D> + Merge<T>>(
    qkv: T2<D, T>,
    positions: &Positions<D>,
) -> Res<T2<D, T>, D> {
    let geometry = positions.geometry;
    let Geometry { rows: b, length: t, heads: h, kv_heads: k, head_dim: d, .. } = geometry;
    let g = geometry.group();

    let (qkv, rest) = twice(qkv);
    let (rest, last) = twice(rest);
    let q_bhtd = heads(qkv.try_slice((.., 0..h * d))?, b, t, h, d)?;
    let k_bktd = heads(rest.try_slice((.., h * d..(h + k) * d))?, b, t, k, d)?;
    let v_bktd = heads(last.try_slice((.., (h + k) * d..(h + 2 * k) * d))?, b, t, k, d)?;

    let q = q_bhtd.try_reshape_like(&(b, k, g * t, d))?;
    let scores = q.try_matmul(k_bktd.try_permute::<_, Axes4<0, 1, 3, 2>>()?)?;
    values(scaled(scores, &geometry)?.try_reshape_like(&(b, k, g, t, t))?, v_bktd, positions)
}

/// Scores, scaled and capped.
pub(super) fn scaled<D: Device<f32>, T: Tape<f32, D>>(
    scores: T4<D, T>,
    geometry: &Geometry,
) -> Res<T4<D, T>, D> {
    let scale = geometry.scale;
    match geometry.cap {
        Some(cap) => scores.try_mul(scale / cap)?.try_tanh()?.try_mul(cap),
        None => scores.try_mul(scale),
    }
}

/// Values weighed by the masked softmax of scores (b, k, g, t, t): the merged (b t, h d).
pub(super) fn values<D: Device<f32>, T: Tape<f32, D> + Merge<T>>(
    scores: Tensor<(usize, usize, usize, usize, usize), f32, D, T>,
    v_bktd: T4<D, T>,
    positions: &Positions<D>,
) -> Res<T2<D, T>, D> {
    let (b, k, g, t, _) = *scores.shape();
    let (h, d) = (k * g, positions.geometry.head_dim);
    let mask = positions.mask(&scores.device().clone())?;
    let mask = mask.clone().try_broadcast_like::<_, Axes2<1, 2>>(scores.shape())?;
    let weights = scores.try_add(mask)?.try_softmax::<Axis<4>>()?;
    let y = weights.try_reshape_like(&(b, k, g * t, t))?.try_matmul(v_bktd)?;
    let y_bthd = y.try_reshape_like(&(b, h, t, d))?.try_permute::<_, Axes4<0, 2, 1, 3>>()?;
    y_bthd.try_reshape_like(&(b * t, h * d))
}

pub(super) fn heads<D: Device<f32>, T: Tape<f32, D>>(
    x: T2<D, T>,
    b: usize,
    t: usize,
    h: usize,
    d: usize,
) -> Res<T4<D, T>, D> {
    x.try_reshape_like(&(b, t, h, d))?.try_permute::<_, Axes4<0, 2, 1, 3>>()
}
