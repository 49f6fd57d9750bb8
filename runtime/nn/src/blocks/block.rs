//! A decoder block: attention and feed-forward, each added to the residual stream.

use std::rc::Rc;

use dfdx::prelude::*;

use super::{Attention, Ffn, Norm, Notes, Weights, tensors};
use crate::Architecture;
use crate::kernels::{Drop, Kernels, Noise, Path, Positions, Res, T1, T2, twice};
use crate::kinds::NormPlace;

/// What all blocks of a forward pass share.
pub(crate) struct Pass<'a, D: Device<f32>, T> {
    pub(crate) path: Path,
    pub(crate) spec: &'a Architecture,
    /// One for each reach of the pattern.
    pub(crate) positions: Rc<[Positions<D>]>,
    /// Random numbers of dropout; none in evaluation.
    pub(crate) noise: Option<Noise>,
    /// What routers see and say.
    pub(crate) notes: &'a Notes<D, T>,
}

impl<D: Kernels, T: Tape<f32, D> + Merge<T>> Pass<'_, D, T> {
    /// The use number `site` of dropout; nothing in evaluation.
    pub(crate) fn dropout(&self, x: T2<D, T>, site: usize) -> Res<T2<D, T>, D> {
        let (Some(noise), Some(positions)) = (self.noise, self.positions.first()) else { return Ok(x) };
        if self.spec.dropout == 0.0 {
            return Ok(x);
        }
        let drop = Drop::new(self.spec.dropout, noise, site as u64, positions.geometry.length);
        self.path.dropout(x, drop)
    }
}

/// A block; norms stand before, after, or on both sides of its two halves.
#[derive(Clone, Debug)]
pub(crate) struct Block<D: Storage<f32>> {
    pub(crate) attention_norm: Option<Norm<D>>,
    pub(crate) attention: Attention<D>,
    pub(crate) attention_post_norm: Option<Norm<D>>,
    pub(crate) ffn_norm: Option<Norm<D>>,
    pub(crate) ffn: Ffn<D>,
    pub(crate) ffn_post_norm: Option<Norm<D>>,
}

tensors!(Block: attention_norm, attention, attention_post_norm, ffn_norm, ffn, ffn_post_norm);

impl<D: Kernels> Block<D> {
    pub(crate) fn new(weights: &mut Weights<'_, D>, spec: &Architecture, index: usize) -> Res<Self, D> {
        let before = spec.norm_place != NormPlace::Post;
        let after = spec.norm_place != NormPlace::Pre;
        let norm = |weights: &mut Weights<'_, D>, there: bool| {
            there.then(|| Norm::new(weights, spec.norm, spec.width)).transpose()
        };
        Ok(Self {
            attention_norm: norm(weights, before)?,
            attention: Attention::new(weights, spec, spec.reach(index))?,
            attention_post_norm: norm(weights, after)?,
            ffn_norm: norm(weights, before)?,
            ffn: Ffn::new(weights, spec)?,
            ffn_post_norm: norm(weights, after)?,
        })
    }

    /// `x + attention(norm(x))`, then `x + ffn(norm(x))`; what is added is normalised where norms stand after.
    pub(crate) fn forward<T: Tape<f32, D> + Merge<T>>(
        &self,
        pass: &Pass<'_, D, T>,
        index: usize,
        x_nc: T2<D, T>,
    ) -> Res<T2<D, T>, D> {
        let path = pass.path;
        let norm = |norm: &Option<Norm<D>>, x| match norm {
            Some(norm) => norm.forward(path, x),
            None => Ok(x),
        };
        let positions = &pass.positions[index % pass.positions.len()];
        let (x, residual) = twice(x_nc);
        let y = self.attention.forward(pass, positions, norm(&self.attention_norm, x)?)?;
        let y = pass.dropout(norm(&self.attention_post_norm, y)?, 2 * index + 1)?;
        let (x, residual) = twice(path.add(y, residual)?);
        let y = self.ffn.forward(pass, norm(&self.ffn_norm, x)?)?;
        let y = pass.dropout(norm(&self.ffn_post_norm, y)?, 2 * index + 2)?;
        path.add(y, residual)
    }
}
