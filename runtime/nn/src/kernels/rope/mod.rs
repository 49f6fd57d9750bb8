//! Rotary positions (Su et al. 2021): pairs of every query and key turn by an angle that grows with the position.

pub(crate) mod cpu;
#[cfg(any(feature = "cuda", test))]
pub(crate) mod cuda;
mod tables;

pub use tables::RopeTables;

use super::{Positions, Res, T2, twice};
use dfdx::prelude::*;

type T3<D, T> = Tensor<(usize, usize, usize), f32, D, T>;

/// The definition: in the merged (n, (h + 2k) d), the pair (i, i + d/2) of every query and key head turns by its
/// position's angle.
pub fn composed<D: Device<f32>, T: Tape<f32, D> + Merge<T>>(
    qkv: T2<D, T>,
    positions: &Positions<D>,
) -> Res<T2<D, T>, D> {
    let (n, width) = *qkv.shape();
    let tables = positions.turns(&qkv.device().clone())?;
    let geometry = positions.geometry;
    let (heads, d) = (geometry.heads + geometry.kv_heads, geometry.head_dim);
    let (rows, length) = (geometry.rows, geometry.length);
    let (qkv, rest) = twice(qkv);
    let both = qkv.try_slice((.., 0..heads * d))?.try_reshape_like(&(n * heads, 2, d / 2))?;
    let (left, right) = twice(both);
    let half = |x: T3<D, T>, at: usize| -> Res<_, D> {
        x.try_slice((.., at..at + 1, ..))?.try_reshape_like(&(rows, length, heads, d / 2))
    };
    let (a, a2) = twice(half(left, 0)?);
    let (b, b2) = twice(half(right, 1)?);
    let shape = *a.shape();
    let cos = || tables.cos.clone().try_broadcast_like::<_, Axes2<0, 2>>(&shape);
    let sin = || tables.sin.clone().try_broadcast_like::<_, Axes2<0, 2>>(&shape);
    let first = a.try_mul(cos()?)?.try_sub(b.try_mul(sin()?)?)?;
    let second = b2.try_mul(cos()?)?.try_add(a2.try_mul(sin()?)?)?;
    let turned = (first, second).try_concat_along(Axis::<3>)?.try_reshape_like(&(n, heads * d))?;
    let v = rest.try_slice((.., heads * d..width))?.try_reshape_like(&(n, width - heads * d))?;
    (turned, v).try_concat_along(Axis::<1>)?.try_reshape_like(&(n, width))
}
