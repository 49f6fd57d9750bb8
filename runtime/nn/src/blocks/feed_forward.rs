//! The feed-forward of a block: two products with a bend between them, gated or not.

use dfdx::prelude::*;

use super::{Linear, Weights, tensors};
use crate::Architecture;
use crate::kernels::{Kernels, Path, Res, T1, T2};
use crate::spec;

/// (n, width) to (n, width) over `hidden` units.
#[derive(Clone, Debug)]
pub(crate) struct FeedForward<D: Storage<f32>> {
    /// `hidden` outputs, or gate and up merged by rows, so that they are one product.
    pub(crate) up: Linear<D>,
    pub(crate) down: Linear<D>,
    pub(crate) form: spec::FeedForward,
}

tensors!(FeedForward: up, down);

impl<D: Kernels> FeedForward<D> {
    pub(crate) fn new(weights: &mut Weights<'_, D>, spec: &Architecture) -> Res<Self, D> {
        let (form, width) = (spec.ffn, spec.width);
        let rows = if form.gated { 2 * form.hidden } else { form.hidden };
        let up = Linear::new(weights, (rows, width), spec.bias)?;
        let down = Linear::new(weights, (width, form.hidden), spec.bias)?;
        Ok(Self { up, down, form })
    }

    /// `down(f(up(x)))`, or `down(f(gate(x)) * up(x))`.
    pub(crate) fn forward<T: Tape<f32, D> + Merge<T>>(&self, path: Path, x: T2<D, T>) -> Res<T2<D, T>, D> {
        let y = self.up.forward(path, x)?;
        self.down.forward(path, path.activate(y, self.form.activation, self.form.gated)?)
    }
}
