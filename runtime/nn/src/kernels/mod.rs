//! The operations of a decoder, one folder each: `composed` (plain dfdx, any device) is the definition,
//! `cpu` the fused version that must equal it.
//!
//! Shapes: n = rows * length positions, c = width, o = outputs, v = vocabulary, h = heads, k = key heads,
//! d = head width, f = hidden units.

pub mod add;
pub mod attention;
mod cpu;
mod dispatch;
pub mod distill;
pub mod embed;
pub mod head;
pub mod linear;
mod mm;
pub mod optim;
mod path;
pub mod rms_norm;
pub(crate) mod rows;
pub mod swiglu;
#[cfg(test)]
mod tests;

use dfdx::prelude::*;

use crate::LossSums;
pub use attention::{Positions, RopeTables};
pub(crate) use cpu::{view, view_mut};
pub use path::Path;

/// A vector on device `D`.
pub type T1<D, T = NoneTape> = Tensor<(usize,), f32, D, T>;
/// A matrix on device `D`.
pub type T2<D, T = NoneTape> = Tensor<(usize, usize), f32, D, T>;
/// A scalar on device `D`.
pub type T0<D, T = NoneTape> = Tensor<Rank0, f32, D, T>;
/// The result of an operation on device `D`.
pub type Res<X, D> = Result<X, <D as HasErr>::Err>;

/// The seam between devices: every operation has the composed definition as its default, and a device may
/// override any of them with a fused version. Callers have checked shapes, ids and ranges.
pub trait Kernels: Device<f32> {
    /// Rows of `table_vc` chosen by `ids`: (n, c).
    fn embed<T: Tape<f32, Self> + Merge<T>>(table_vc: T2<Self, T>, ids: &[u32]) -> Res<T2<Self, T>, Self> {
        embed::composed(table_vc, ids)
    }

    /// `x / sqrt(mean(x^2) + eps) * gain`, row by row.
    fn rms_norm<T: Tape<f32, Self> + Merge<T>>(
        x_nc: T2<Self, T>,
        gain_c: &T1<Self>,
        eps: f32,
    ) -> Res<T2<Self, T>, Self> {
        rms_norm::composed(x_nc, gain_c, eps)
    }

    /// `x W^T`.
    fn linear<T: Tape<f32, Self> + Merge<T>>(x_nc: T2<Self, T>, w_oc: &T2<Self>) -> Res<T2<Self, T>, Self> {
        linear::composed(x_nc, w_oc)
    }

    /// Rotary positions on queries and keys, then causal attention inside each document: the merged
    /// (n, (h + 2k) d) to (n, h d).
    fn attention<T: Tape<f32, Self> + Merge<T>>(
        qkv: T2<Self, T>,
        positions: &Positions<Self>,
    ) -> Res<T2<Self, T>, Self> {
        attention::composed(qkv, positions)
    }

    /// `silu(gate) * up` of the merged (n, 2f): (n, f).
    fn swiglu<T: Tape<f32, Self> + Merge<T>>(gate_up: T2<Self, T>) -> Res<T2<Self, T>, Self> {
        swiglu::composed(gate_up)
    }

    /// The residual sum.
    fn add<T: Tape<f32, Self> + Merge<T>>(a_nc: T2<Self, T>, b_nc: T2<Self, T>) -> Res<T2<Self, T>, Self> {
        add::composed(a_nc, b_nc)
    }

    /// Output head and cross-entropy: the sum of negative log-likelihoods over `normaliser` (its gradient is
    /// what trains), and the sums themselves. Positions whose target is [`crate::IGNORE`] do not count.
    fn head_loss<T: Tape<f32, Self> + Merge<T>>(
        x_nc: T2<Self, T>,
        w_vc: &T2<Self>,
        targets: &[u32],
        normaliser: f64,
    ) -> Res<(T0<Self, T>, LossSums), Self> {
        head::composed(x_nc, w_vc, targets, normaliser)
    }

    /// Output head and distillation: what the lesson asks for over `normaliser`, and the sums themselves. Positions whose
    /// truth is [`crate::IGNORE`] do not count.
    fn distill_loss<T: Tape<f32, Self> + Merge<T>>(
        x_nc: T2<Self, T>,
        w_vc: &T2<Self>,
        truth: &[u32],
        lesson: &distill::Lesson<'_, Self>,
        normaliser: f64,
    ) -> Res<(T0<Self, T>, distill::DistillSums), Self> {
        distill::composed(x_nc, w_vc, truth, lesson, normaliser)
    }

    /// The mean of the teachers' softened distributions at some positions: rows of the vocabulary's length.
    fn mean_probabilities(
        teachers: &[distill::Taught<'_, Self>],
        rows: std::ops::Range<usize>,
        temperature: f32,
    ) -> Res<Vec<f32>, Self> {
        distill::mean_probabilities(teachers, rows, temperature)
    }

    /// Adds the gradient of `parameter` to `into` and frees it.
    fn drain<S: Shape>(
        gradients: &mut Gradients<f32, Self>,
        parameter: &Tensor<S, f32, Self>,
        into: &mut [f32],
    ) -> Res<(), Self> {
        gradients.try_alloc_for(parameter)?;
        for (sum, g) in into.iter_mut().zip(gradients.get(parameter).as_vec()) {
            *sum += g;
        }
        Ok(())
    }
}

#[cfg(feature = "cuda")]
impl Kernels for dfdx::tensor::Cuda {}

/// A tensor and the same tensor again.
pub type Pair<S, D, T> = (Tensor<S, f32, D, T>, Tensor<S, f32, D, T>);

/// Uses a tensor twice: the first keeps the tape, the second starts an empty one that a binary operation merges.
pub fn twice<S: Shape, D: Device<f32>, T: Tape<f32, D>>(x: Tensor<S, f32, D, T>) -> Pair<S, D, T> {
    let again = x.with_empty_tape();
    (x, again)
}
