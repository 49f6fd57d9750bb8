//! Dual chunk attention (An et al. 2024; F9): beyond the trained length, offsets between queries and keys fold into it.
//!
//! Keys stand at their place inside their chunk. A query has three places: among the keys of its own chunk, of the chunk
//! before it, and of all chunks before that. One softmax runs over all of them. Up to the trained length the offsets are
//! the true ones, so nothing changes there.

use std::cell::OnceCell;

use dfdx::prelude::*;

use super::composed::{heads, scaled, values};
use super::{Geometry, Positions};
use crate::kernels::{Res, RopeTables, T2, twice};
use crate::spec::ChunkForm;

type Kinds<D> = [Tensor<(usize, usize), f32, D>; 3];

/// The places of a batch whose rows are longer than the trained length.
pub(crate) struct Chunks<D: Device<f32>> {
    form: ChunkForm,
    /// Places of queries among the keys of their own chunk (and of all keys), of the chunk before, of all others.
    pub(crate) places: Box<[Positions<D>; 3]>,
    kinds: OnceCell<Kinds<D>>,
}

impl<D: Device<f32>> Chunks<D> {
    pub(super) fn new(form: ChunkForm, rope: &RopeTables, geometry: Geometry) -> Self {
        let place = |of: fn(&ChunkForm, usize) -> usize| {
            let at = (0..geometry.length).map(|i| of(&form, i));
            Positions::at_places(geometry, rope.gather(at))
        };
        let places = Box::new([place(ChunkForm::own), place(ChunkForm::next), place(ChunkForm::far)]);
        Self { form, places, kinds: OnceCell::new() }
    }

    /// Which of the three places counts for each pair of positions, as 0 and 1.
    fn kinds(&self, device: &D) -> Res<&Kinds<D>, D> {
        if let Some(kinds) = self.kinds.get() {
            return Ok(kinds);
        }
        let t = self.places[0].geometry.length;
        let kind = |wanted: usize| {
            let counts = (0..t * t).map(|at| at % t <= at / t && self.form.apart(at / t, at % t) == wanted);
            device.try_tensor_from_vec(counts.map(|on| f32::from(u8::from(on))).collect(), (t, t))
        };
        let kinds = [kind(0)?, kind(1)?, kind(2)?];
        Ok(self.kinds.get_or_init(|| kinds))
    }
}

/// The definition, from the merged queries, keys and values turned for each of the three places of the queries.
pub(crate) fn chunked<D: Device<f32>, T: Tape<f32, D> + Merge<T>>(
    turned: [T2<D, T>; 3],
    chunks: &Chunks<D>,
    positions: &Positions<D>,
) -> Res<T2<D, T>, D> {
    let [own, next, far] = turned;
    let device = own.device().clone();
    let geometry = positions.geometry;
    let Geometry { rows: b, length: t, heads: h, kv_heads: k, head_dim: d, .. } = geometry;
    let g = geometry.group();
    let (own, rest) = twice(own);
    let (rest, last) = twice(rest);
    let keys = heads(rest.try_slice((.., h * d..(h + k) * d))?, b, t, k, d)?;
    let v_bktd = heads(last.try_slice((.., (h + k) * d..(h + 2 * k) * d))?, b, t, k, d)?;
    let (keys, others) = twice(keys.try_permute::<_, Axes4<0, 1, 3, 2>>()?);
    let (others, last) = twice(others);
    let kinds = chunks.kinds(&device)?;
    let scores = |qkv: T2<D, T>, keys, kind: &Tensor<(usize, usize), f32, D>| -> Res<_, D> {
        let q = heads(qkv.try_slice((.., 0..h * d))?, b, t, h, d)?.try_reshape_like(&(b, k, g * t, d))?;
        let scores = scaled(q.try_matmul(keys)?, &geometry)?.try_reshape_like(&(b, k, g, t, t))?;
        let kind = kind.clone().try_broadcast_like::<_, Axes3<0, 1, 2>>(scores.shape())?;
        scores.try_mul(kind)
    };
    let all = scores(own, keys, &kinds[0])?.try_add(scores(next, others, &kinds[1])?)?;
    let all = all.try_add(scores(far, last, &kinds[2])?)?;
    values(all, v_bktd, positions)
}
