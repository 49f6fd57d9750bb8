//! The attention of a block: products around rotary positions, head norms and the attention itself.

use dfdx::prelude::*;

use super::{Linear, Norm, Pass, Weights, tensors};
use crate::Architecture;
use crate::kernels::{Gains, Kernels, Positions, Res, T1, T2, attention, rope, twice};
use crate::kinds::QkPlace;
use crate::spec::{Order, Reach};

/// (n, width) to (n, width) over `heads` of `head_dim`.
#[derive(Clone, Debug)]
pub(crate) struct Attention<D: Storage<f32>> {
    /// (q rows, k rows, v rows) by width.
    pub(crate) qkv: Linear<D>,
    /// Width by query width.
    pub(crate) output: Linear<D>,
    pub(crate) q_norm: Option<Norm<D>>,
    pub(crate) k_norm: Option<Norm<D>>,
    /// Whether the block turns queries and keys.
    pub(crate) turns: bool,
    /// Whether the head norms come after the turn.
    pub(crate) norm_after: bool,
}

tensors!(Attention: qkv, output, q_norm, k_norm);

impl<D: Kernels> Attention<D> {
    pub(crate) fn new(weights: &mut Weights<'_, D>, spec: &Architecture, reach: Reach) -> Res<Self, D> {
        let qkv = Linear::new(weights, (spec.qkv_width(), spec.width), spec.qkv_bias || spec.bias)?;
        let output = Linear::new(weights, (spec.width, spec.query_width()), spec.bias)?;
        let mut norm = || spec.qk_norm.map(|form| Norm::new(weights, form, spec.head_dim)).transpose();
        let (q_norm, k_norm) = (norm()?, norm()?);
        let turns = matches!(spec.order, Order::Rotary(_)) && reach != Reach::GlobalWithoutOrder;
        let norm_after = spec.qk_norm_place == QkPlace::After;
        Ok(Self { qkv, output, q_norm, k_norm, turns, norm_after })
    }

    /// `output(attention(turned q, turned k, v))`.
    pub(crate) fn forward<T: Tape<f32, D> + Merge<T>>(
        &self,
        pass: &Pass<'_, D, T>,
        positions: &Positions<D>,
        x: T2<D, T>,
    ) -> Res<T2<D, T>, D> {
        let path = pass.path;
        let mut y = self.qkv.forward(path, x)?;
        if !self.norm_after {
            y = self.head_norm(pass, y)?;
        }
        if let Some(chunks) = &positions.chunks {
            let (own, rest) = twice(y);
            let (next, far) = twice(rest);
            let [at_own, at_next, at_far] = &*chunks.places;
            let turn = |y: T2<D, T>, at| {
                // A copy of its own: dfdx gives a tensor the gradient of the last slice where slices overlap.
                let y = rope::composed(y.try_mul(1.0)?, at)?;
                if self.norm_after { self.head_norm(pass, y) } else { Ok(y) }
            };
            let turned = [turn(own, at_own)?, turn(next, at_next)?, turn(far, at_far)?];
            return self.output.forward(path, attention::chunked(turned, chunks, positions)?);
        }
        if self.turns {
            y = path.rope(y, positions)?;
        }
        if self.norm_after {
            y = self.head_norm(pass, y)?;
        }
        self.output.forward(path, path.attention(y, positions)?)
    }

    fn head_norm<T: Tape<f32, D> + Merge<T>>(&self, pass: &Pass<'_, D, T>, y: T2<D, T>) -> Res<T2<D, T>, D> {
        let (Some(q), Some(k)) = (&self.q_norm, &self.k_norm) else { return Ok(y) };
        let gains = Gains { q: (&q.gain, q.bias.as_ref()), k: (&k.gain, k.bias.as_ref()) };
        pass.path.head_norm(y, gains, (pass.spec.heads, pass.spec.kv_heads), &q.form)
    }
}
