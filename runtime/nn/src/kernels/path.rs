//! Which of the two versions of an operation a model runs.

use dfdx::prelude::*;

use super::{
    Kernels, Positions, Res, T0, T1, T2, add, attention, distill, embed, head, linear, rms_norm, swiglu,
};
use crate::LossSums;

/// The version of every operation of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Path {
    /// What the device does best.
    #[default]
    Fused,
    /// The definition in plain tensor operations: slow, for tests and for checking a new machine.
    Composed,
}

impl Path {
    pub(crate) fn embed<D: Kernels, T: Tape<f32, D> + Merge<T>>(
        self,
        table: T2<D, T>,
        ids: &[u32],
    ) -> Res<T2<D, T>, D> {
        match self {
            Self::Fused => D::embed(table, ids),
            Self::Composed => embed::composed(table, ids),
        }
    }

    pub(crate) fn rms_norm<D: Kernels, T: Tape<f32, D> + Merge<T>>(
        self,
        x: T2<D, T>,
        gain: &T1<D>,
        eps: f32,
    ) -> Res<T2<D, T>, D> {
        match self {
            Self::Fused => D::rms_norm(x, gain, eps),
            Self::Composed => rms_norm::composed(x, gain, eps),
        }
    }

    pub(crate) fn linear<D: Kernels, T: Tape<f32, D> + Merge<T>>(
        self,
        x: T2<D, T>,
        w: &T2<D>,
    ) -> Res<T2<D, T>, D> {
        match self {
            Self::Fused => D::linear(x, w),
            Self::Composed => linear::composed(x, w),
        }
    }

    pub(crate) fn attention<D: Kernels, T: Tape<f32, D> + Merge<T>>(
        self,
        qkv: T2<D, T>,
        positions: &Positions<D>,
    ) -> Res<T2<D, T>, D> {
        match self {
            Self::Fused => D::attention(qkv, positions),
            Self::Composed => attention::composed(qkv, positions),
        }
    }

    pub(crate) fn swiglu<D: Kernels, T: Tape<f32, D> + Merge<T>>(self, x: T2<D, T>) -> Res<T2<D, T>, D> {
        match self {
            Self::Fused => D::swiglu(x),
            Self::Composed => swiglu::composed(x),
        }
    }

    pub(crate) fn add<D: Kernels, T: Tape<f32, D> + Merge<T>>(
        self,
        a: T2<D, T>,
        b: T2<D, T>,
    ) -> Res<T2<D, T>, D> {
        match self {
            Self::Fused => D::add(a, b),
            Self::Composed => add::composed(a, b),
        }
    }

    pub(crate) fn head_loss<D: Kernels, T: Tape<f32, D> + Merge<T>>(
        self,
        x: T2<D, T>,
        w: &T2<D>,
        targets: &[u32],
        normaliser: f64,
    ) -> Res<(T0<D, T>, LossSums), D> {
        match self {
            Self::Fused => D::head_loss(x, w, targets, normaliser),
            Self::Composed => head::composed(x, w, targets, normaliser),
        }
    }

    pub(crate) fn distill_loss<D: Kernels, T: Tape<f32, D> + Merge<T>>(
        self,
        x: T2<D, T>,
        w: &T2<D>,
        truth: &[u32],
        lesson: &distill::Lesson<'_, D>,
        normaliser: f64,
    ) -> Res<(T0<D, T>, distill::DistillSums), D> {
        match self {
            Self::Fused => D::distill_loss(x, w, truth, lesson, normaliser),
            Self::Composed => distill::composed(x, w, truth, lesson, normaliser),
        }
    }
}
