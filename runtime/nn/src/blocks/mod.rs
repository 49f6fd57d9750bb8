//! A decoder block: what it holds and how it maps the residual stream.

use dfdx::prelude::*;

use crate::Architecture;
use crate::kernels::{Kernels, Path, Positions, Res, T1, T2, twice};

/// Weights of one block; q, k, v and gate, up are merged by rows, so each pair of products is one.
#[derive(Clone, Debug)]
pub(crate) struct Block<D: Storage<f32>> {
    pub(crate) attention_norm: T1<D>,
    /// (q rows, k rows, v rows) by width.
    pub(crate) qkv: T2<D>,
    /// Width by query width.
    pub(crate) output: T2<D>,
    pub(crate) ffn_norm: T1<D>,
    /// (gate rows, up rows) by width.
    pub(crate) gate_up: T2<D>,
    /// Width by hidden units.
    pub(crate) down: T2<D>,
}

impl<D: Kernels> Block<D> {
    /// `x + attention(norm(x))`, then `x + ffn(norm(x))`.
    pub(crate) fn forward<T: Tape<f32, D> + Merge<T>>(
        &self,
        path: Path,
        spec: &Architecture,
        x_nc: T2<D, T>,
        positions: &Positions<D>,
    ) -> Res<T2<D, T>, D> {
        let eps = spec.norm.eps as f32;
        let (x, residual) = twice(x_nc);
        let y = path.linear(path.rms_norm(x, &self.attention_norm, eps)?, &self.qkv)?;
        let y = path.linear(path.attention(y, positions)?, &self.output)?;
        let (x, residual) = twice(path.add(y, residual)?);
        let y = path.linear(path.rms_norm(x, &self.ffn_norm, eps)?, &self.gate_up)?;
        let y = path.linear(path.swiglu(y)?, &self.down)?;
        path.add(y, residual)
    }
}
