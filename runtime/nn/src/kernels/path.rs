//! Which version of an operation a model runs.

use dfdx::prelude::*;

use super::{
    Drop, Gains, HeadForm, Kernels, Positions, Res, T0, T1, T2, activation, add, attention, bias, distill,
    dropout, embed, head, head_norm, linear, moe, norm, rope,
};
use crate::spec::{Activation, NormForm};
use crate::{LossSums, Precision};

/// The version of every operation of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Path {
    /// What the device does best.
    #[default]
    Fused,
    /// The same with matrix products of weights in bf16, where the device has them (the CPU does).
    Bf16,
    /// The definition in plain tensor operations: slow, for tests and for checking a new machine.
    Composed,
}

impl From<Precision> for Path {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::Fused,
            Precision::Bf16 => Self::Bf16,
        }
    }
}

impl Path {
    pub(crate) fn embed<D: Kernels, T: Tape<f32, D> + Merge<T>>(
        self,
        table: T2<D, T>,
        ids: &[u32],
    ) -> Res<T2<D, T>, D> {
        match self {
            Self::Fused | Self::Bf16 => D::embed(table, ids),
            Self::Composed => embed::composed(table, ids),
        }
    }

    pub(crate) fn norm<D: Kernels, T: Tape<f32, D> + Merge<T>>(
        self,
        x: T2<D, T>,
        gain: &T1<D>,
        bias: Option<&T1<D>>,
        form: &NormForm,
    ) -> Res<T2<D, T>, D> {
        match self {
            Self::Fused | Self::Bf16 => D::norm(x, gain, bias, form),
            Self::Composed => norm::composed(x, gain, bias, form),
        }
    }

    pub(crate) fn head_norm<D: Kernels, T: Tape<f32, D> + Merge<T>>(
        self,
        qkv: T2<D, T>,
        gains: Gains<'_, D>,
        heads: (usize, usize),
        form: &NormForm,
    ) -> Res<T2<D, T>, D> {
        match self {
            Self::Fused | Self::Bf16 => D::head_norm(qkv, gains, heads, form),
            Self::Composed => head_norm::composed(qkv, gains, heads, form),
        }
    }

    pub(crate) fn bias<D: Kernels, T: Tape<f32, D> + Merge<T>>(
        self,
        x: T2<D, T>,
        b: &T1<D>,
    ) -> Res<T2<D, T>, D> {
        match self {
            Self::Fused | Self::Bf16 => D::bias(x, b),
            Self::Composed => bias::composed(x, b),
        }
    }

    pub(crate) fn rope<D: Kernels, T: Tape<f32, D> + Merge<T>>(
        self,
        qkv: T2<D, T>,
        positions: &Positions<D>,
    ) -> Res<T2<D, T>, D> {
        match self {
            Self::Fused | Self::Bf16 => D::rope(qkv, positions),
            Self::Composed => rope::composed(qkv, positions),
        }
    }

    pub(crate) fn linear<D: Kernels, T: Tape<f32, D> + Merge<T>>(
        self,
        x: T2<D, T>,
        w: &T2<D>,
    ) -> Res<T2<D, T>, D> {
        match self {
            Self::Fused => D::linear(x, w, Precision::F32),
            Self::Bf16 => D::linear(x, w, Precision::Bf16),
            Self::Composed => linear::composed(x, w),
        }
    }

    pub(crate) fn attention<D: Kernels, T: Tape<f32, D> + Merge<T>>(
        self,
        qkv: T2<D, T>,
        positions: &Positions<D>,
    ) -> Res<T2<D, T>, D> {
        match self {
            Self::Fused | Self::Bf16 => D::attention(qkv, positions),
            Self::Composed => attention::composed(qkv, positions),
        }
    }

    pub(crate) fn activate<D: Kernels, T: Tape<f32, D> + Merge<T>>(
        self,
        x: T2<D, T>,
        activation: Activation,
        gated: bool,
    ) -> Res<T2<D, T>, D> {
        match self {
            Self::Fused | Self::Bf16 => D::activate(x, activation, gated),
            Self::Composed => activation::composed(x, activation, gated),
        }
    }

    pub(crate) fn dropout<D: Kernels, T: Tape<f32, D> + Merge<T>>(
        self,
        x: T2<D, T>,
        drop: Drop,
    ) -> Res<T2<D, T>, D> {
        match self {
            Self::Fused | Self::Bf16 => D::dropout(x, drop),
            Self::Composed => dropout::composed(x, drop),
        }
    }

    pub(crate) fn moe<D: Kernels, T: Tape<f32, D> + Merge<T>>(
        self,
        x: T2<D, T>,
        router: &T2<D>,
        experts: &T1<D>,
        routing: &moe::Routing,
    ) -> Res<moe::Routed<D, T>, D> {
        match self {
            Self::Fused => D::moe(x, router, experts, routing, Precision::F32),
            Self::Bf16 => D::moe(x, router, experts, routing, Precision::Bf16),
            Self::Composed => moe::composed(x, router, experts, routing),
        }
    }

    pub(crate) fn add<D: Kernels, T: Tape<f32, D> + Merge<T>>(
        self,
        a: T2<D, T>,
        b: T2<D, T>,
    ) -> Res<T2<D, T>, D> {
        match self {
            Self::Fused | Self::Bf16 => D::add(a, b),
            Self::Composed => add::composed(a, b),
        }
    }

    pub(crate) fn head_loss<D: Kernels, T: Tape<f32, D> + Merge<T>>(
        self,
        x: T2<D, T>,
        w: &T2<D>,
        targets: &[u32],
        normaliser: f64,
        form: HeadForm,
    ) -> Res<(T0<D, T>, LossSums), D> {
        match self {
            Self::Fused => D::head_loss(x, w, targets, normaliser, form, Precision::F32),
            Self::Bf16 => D::head_loss(x, w, targets, normaliser, form, Precision::Bf16),
            Self::Composed => head::composed(x, w, targets, normaliser, form),
        }
    }

    pub(crate) fn log_probs<D: Kernels, T: Tape<f32, D> + Merge<T>>(
        self,
        x: T2<D, T>,
        w: &T2<D>,
        targets: &[u32],
        cap: Option<f32>,
    ) -> Res<T1<D, T>, D> {
        match self {
            Self::Fused => D::log_probs(x, w, targets, cap, Precision::F32),
            Self::Bf16 => D::log_probs(x, w, targets, cap, Precision::Bf16),
            Self::Composed => head::log_probs(x, w, targets, cap),
        }
    }

    pub(crate) fn distill_loss<D: Kernels, T: Tape<f32, D> + Merge<T>>(
        self,
        x: T2<D, T>,
        w: &T2<D>,
        truth: &[u32],
        lesson: &distill::Lesson<'_, D>,
        normaliser: f64,
        form: HeadForm,
    ) -> Res<(T0<D, T>, distill::DistillSums), D> {
        match self {
            // The head of a distillation multiplies in f32 also where the blocks do not.
            Self::Fused | Self::Bf16 => D::distill_loss(x, w, truth, lesson, normaliser, form),
            Self::Composed => distill::composed(x, w, truth, lesson, normaliser, form),
        }
    }
}
