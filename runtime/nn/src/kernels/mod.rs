//! The operations of a decoder, one folder each: `composed` (plain dfdx, any device) is the definition,
//! `cpu` the fused version that must equal it.
//!
//! Shapes: n = rows * length positions, c = width, o = outputs, v = vocabulary, h = heads, k = key heads,
//! d = head width, f = hidden units.

pub mod activation;
pub mod add;
pub mod attention;
#[cfg(target_arch = "x86_64")]
mod bf16;
pub mod bias;
mod cpu;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;
mod dispatch;
pub mod distill;
pub mod dropout;
pub mod embed;
#[cfg(test)]
#[cfg(unix)]
mod emulate;
pub mod head;
pub mod head_norm;
#[cfg(any(feature = "cuda", test))]
mod launch;
pub mod linear;
pub(crate) mod mm;
pub mod moe;
pub mod norm;
pub mod optim;
mod path;
pub mod rope;
pub(crate) mod rows;
#[cfg(test)]
mod tests;

use dfdx::prelude::*;

use crate::LossSums;
use crate::spec::{Activation, NormForm};
pub use attention::Positions;
pub(crate) use cpu::{view, view_mut};
pub use dropout::{Drop, Noise};
pub use head::HeadForm;
pub use head_norm::Gains;
pub use mm::Precision;
pub use path::Path;
pub use rope::RopeTables;

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

    /// Normalises row by row: [`norm::composed`].
    fn norm<T: Tape<f32, Self> + Merge<T>>(
        x_nc: T2<Self, T>,
        gain_c: &T1<Self>,
        bias_c: Option<&T1<Self>>,
        form: &NormForm,
    ) -> Res<T2<Self, T>, Self> {
        norm::composed(x_nc, gain_c, bias_c, form)
    }

    /// Normalises every query and key head of the merged (n, (h + 2k) d).
    fn head_norm<T: Tape<f32, Self> + Merge<T>>(
        qkv: T2<Self, T>,
        gains: Gains<'_, Self>,
        heads: (usize, usize),
        form: &NormForm,
    ) -> Res<T2<Self, T>, Self> {
        head_norm::composed(qkv, gains, heads, form)
    }

    /// `x W^T`. The composed definition knows 32 bits only.
    fn linear<T: Tape<f32, Self> + Merge<T>>(
        x_nc: T2<Self, T>,
        w_oc: &T2<Self>,
        _: Precision,
    ) -> Res<T2<Self, T>, Self> {
        linear::composed(x_nc, w_oc)
    }

    /// `x + b`, row by row.
    fn bias<T: Tape<f32, Self> + Merge<T>>(x_no: T2<Self, T>, b_o: &T1<Self>) -> Res<T2<Self, T>, Self> {
        bias::composed(x_no, b_o)
    }

    /// Rotary positions on the queries and keys of the merged (n, (h + 2k) d).
    fn rope<T: Tape<f32, Self> + Merge<T>>(
        qkv: T2<Self, T>,
        positions: &Positions<Self>,
    ) -> Res<T2<Self, T>, Self> {
        rope::composed(qkv, positions)
    }

    /// Causal attention inside each document and window: the merged (n, (h + 2k) d) to (n, h d).
    fn attention<T: Tape<f32, Self> + Merge<T>>(
        qkv: T2<Self, T>,
        positions: &Positions<Self>,
    ) -> Res<T2<Self, T>, Self> {
        attention::composed(qkv, positions)
    }

    /// The bend of hidden units: (n, f) to (n, f), or gate and up side by side in (n, 2f) to (n, f).
    fn activate<T: Tape<f32, Self> + Merge<T>>(
        x: T2<Self, T>,
        activation: Activation,
        gated: bool,
    ) -> Res<T2<Self, T>, Self> {
        activation::composed(x, activation, gated)
    }

    /// A share of the numbers becomes 0.
    fn dropout<T: Tape<f32, Self> + Merge<T>>(x_nc: T2<Self, T>, drop: Drop) -> Res<T2<Self, T>, Self> {
        dropout::composed(x_nc, drop)
    }

    /// A mixture of experts: [`moe::composed`], which knows 32 bits only.
    fn moe<T: Tape<f32, Self> + Merge<T>>(
        x_nc: T2<Self, T>,
        router_ec: &T2<Self>,
        experts: &T1<Self>,
        routing: &moe::Routing,
        _: Precision,
    ) -> Res<moe::Routed<Self, T>, Self> {
        moe::composed(x_nc, router_ec, experts, routing)
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
        form: HeadForm,
        _: Precision,
    ) -> Res<(T0<Self, T>, LossSums), Self> {
        head::composed(x_nc, w_vc, targets, normaliser, form)
    }

    /// Output head and the log-probability of every target, 0 where it is [`crate::IGNORE`]; what a loss makes of them is
    /// the caller's. The composed definition knows 32 bits only.
    fn log_probs<T: Tape<f32, Self> + Merge<T>>(
        x_nc: T2<Self, T>,
        w_vc: &T2<Self>,
        targets: &[u32],
        cap: Option<f32>,
        _: Precision,
    ) -> Res<T1<Self, T>, Self> {
        head::log_probs(x_nc, w_vc, targets, cap)
    }

    /// Output head and distillation: what the lesson asks for over `normaliser`, and the sums themselves. Positions whose
    /// truth is [`crate::IGNORE`] do not count.
    fn distill_loss<T: Tape<f32, Self> + Merge<T>>(
        x_nc: T2<Self, T>,
        w_vc: &T2<Self>,
        truth: &[u32],
        lesson: &distill::Lesson<'_, Self>,
        normaliser: f64,
        form: HeadForm,
    ) -> Res<(T0<Self, T>, distill::DistillSums), Self> {
        distill::composed(x_nc, w_vc, truth, lesson, normaliser, form)
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

/// A tensor and the same tensor again.
pub type Pair<S, D, T> = (Tensor<S, f32, D, T>, Tensor<S, f32, D, T>);

/// Uses a tensor twice: the first keeps the tape, the second starts an empty one that a binary operation merges.
pub fn twice<S: Shape, D: Device<f32>, T: Tape<f32, D>>(x: Tensor<S, f32, D, T>) -> Pair<S, D, T> {
    let again = x.with_empty_tape();
    (x, again)
}
