//! The norm of queries and keys, head by head, with one gain for all query heads and one for all key heads.

pub(crate) mod cpu;

use super::{Res, T1, T2, norm, twice};
use crate::spec::NormForm;
use dfdx::prelude::*;

/// Gain and, where there is one, bias of the norm of a head.
#[derive(Clone, Copy)]
pub struct Gains<'a, D: Storage<f32>> {
    /// Of the queries.
    pub q: (&'a T1<D>, Option<&'a T1<D>>),
    /// Of the keys.
    pub k: (&'a T1<D>, Option<&'a T1<D>>),
}

/// The definition: every head of the queries and keys in the merged (n, (h + 2k) d) is normalised as a row of its own.
pub fn composed<D: Device<f32>, T: Tape<f32, D> + Merge<T>>(
    qkv: T2<D, T>,
    gains: Gains<'_, D>,
    (heads, kv_heads): (usize, usize),
    form: &NormForm,
) -> Res<T2<D, T>, D> {
    let (n, width) = *qkv.shape();
    let d = gains.q.0.shape().0;
    let (qkv, rest) = twice(qkv);
    let (rest, last) = twice(rest);
    let (q, k) = (heads * d, kv_heads * d);
    let normed = |x: T2<D, T>, (gain, bias): (&T1<D>, Option<&T1<D>>)| {
        let shape = *x.shape();
        let rows = x.try_reshape_like(&(n * shape.1 / d, d))?;
        norm::composed(rows, gain, bias, form)?.try_reshape_like(&shape)
    };
    let q_nq = normed(qkv.try_slice((.., 0..q))?.try_reshape_like(&(n, q))?, gains.q)?;
    let k_nk = normed(rest.try_slice((.., q..q + k))?.try_reshape_like(&(n, k))?, gains.k)?;
    let v_nk = last.try_slice((.., q + k..width))?.try_reshape_like(&(n, k))?;
    let both = (q_nq, k_nk).try_concat_along(Axis::<1>)?;
    (both, v_nk).try_concat_along(Axis::<1>)?.try_reshape_like(&(n, width))
}
