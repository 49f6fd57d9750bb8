//! Distillation: the divergence from what a teacher says, given as a few tokens a position or as whole
//! distributions.
//!
//! Shapes as in [`crate::kernels`]. With y the target's distribution and p the student's, a position's loss is
//! `KL(y || p)`: the cross-entropy to y less a constant, so 0 where the student agrees.

pub(crate) mod cpu;
mod pick;
mod targets;
#[cfg(test)]
mod tests;

pub use pick::Pick;
pub(crate) use pick::pick;
pub use targets::Targets;

use super::head::{HeadForm, capped, z_loss};
use super::{Res, T0, T2, linear, twice};
use crate::{IGNORE, LossSums};
use dfdx::prelude::*;
use std::ops::Range;

/// The final residual stream of a teacher, its output head, and what its logits are bent to stay within.
pub type Taught<'a, D> = (T2<D>, &'a T2<D>, Option<f32>);

/// What a student learns from at the positions of a batch.
pub enum Lesson<'a, D: Storage<f32>> {
    /// A few tokens a position: the teacher's first choice (AFM), or tokens drawn from it (Gemma 3), beside the true
    /// one. Both weights count in the loss.
    Tokens {
        /// The teacher's tokens, one row for each position.
        targets: &'a Targets,
        /// Weight of the teacher's tokens.
        teacher: f32,
        /// Weight of the true token.
        truth: f32,
    },
    /// Whole distributions: the mean of all teachers (Gemma 2). Both sides are softened by the temperature, and the
    /// loss is multiplied by its square so that gradients keep their size (Hinton et al. 2015).
    Whole {
        /// At least one teacher, with the vocabulary of the student.
        teachers: &'a [Taught<'a, D>],
        /// Above 0.
        temperature: f32,
    },
}

/// Sums over the positions that count.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DistillSums {
    /// Sum of what is minimised.
    pub loss_sum: f64,
    /// Sum of the divergences from the teacher.
    pub teacher_sum: f64,
    /// The true tokens: what the loss would be without a teacher.
    pub truth: LossSums,
}

impl std::ops::AddAssign for DistillSums {
    fn add_assign(&mut self, other: Self) {
        self.loss_sum += other.loss_sum;
        self.teacher_sum += other.teacher_sum;
        self.truth += other.truth;
    }
}

/// The definition: whole logits and a whole table of targets; positions whose truth is [`IGNORE`] weigh 0.
pub fn composed<D: Device<f32>, T: Tape<f32, D> + Merge<T>>(
    x_nc: T2<D, T>,
    w_vc: &T2<D>,
    truth: &[u32],
    lesson: &Lesson<'_, D>,
    normaliser: f64,
    form: HeadForm,
) -> Res<(T0<D, T>, DistillSums), D> {
    let device = x_nc.device().clone();
    let (n, v) = (truth.len(), w_vc.shape().0);
    let logits = capped(linear::composed(x_nc, w_vc)?, form.cap)?;
    let (logits, again) = twice(logits);
    let plain = logits.with_empty_tape().try_log_softmax::<Axis<1>>()?.as_vec();
    let (logprobs, table, weights) = match lesson {
        Lesson::Tokens { targets, teacher, truth } => {
            (logits.try_log_softmax::<Axis<1>>()?, targets.dense(v), (*teacher, *truth))
        }
        Lesson::Whole { teachers, temperature: t } => {
            let logprobs = logits.try_mul(1.0 / t)?.try_log_softmax::<Axis<1>>()?;
            (logprobs, mean_probabilities(teachers, 0..n, *t)?, (t * t, 0.0))
        }
    };
    let softened = logprobs.as_vec();
    let mut sums = DistillSums::default();
    let mut minimised = vec![0.0; n * v];
    let mut constant = 0.0;
    for (row, &own) in truth.iter().enumerate().filter(|(_, t)| **t != IGNORE) {
        let here = row * v..(row + 1) * v;
        let nll = -f64::from(plain[row * v + own as usize]);
        let (mut divergence, mut entropy) = (0.0, 0.0);
        for i in here.filter(|i| table[*i] > 0.0) {
            let y = f64::from(table[i]);
            divergence += y * (y.ln() - f64::from(softened[i]));
            entropy += y * y.ln();
            minimised[i] = weights.0 * table[i];
        }
        minimised[row * v + own as usize] += weights.1;
        constant += f64::from(weights.0) * entropy;
        sums += DistillSums {
            loss_sum: f64::from(weights.0) * divergence + f64::from(weights.1) * nll,
            teacher_sum: divergence,
            truth: LossSums { nll_sum: nll, targets: 1, z_sum: 0.0 },
        };
    }
    let minimised = device.try_tensor_from_vec(minimised, (n, v))?;
    // Row by row, or a long sum in f32 would lose what the constant leaves of it.
    let rows = logprobs.try_mul(minimised)?.try_sum::<(usize,), Axis<1>>()?;
    let loss = rows.try_sum::<Rank0, Axis<0>>()?;
    let loss = loss.try_mul((-1.0 / normaliser) as f32)?.try_add((constant / normaliser) as f32)?;
    if form.z_loss == 0.0 {
        return Ok((loss, sums));
    }
    let (penalty, z_sum) = z_loss(again, truth, normaliser, form.z_loss)?;
    sums.truth.z_sum = z_sum;
    Ok((loss.try_add(penalty)?, sums))
}

/// The definition of [`super::Kernels::mean_probabilities`].
pub fn mean_probabilities<D: Device<f32>>(
    teachers: &[Taught<'_, D>],
    rows: Range<usize>,
    temperature: f32,
) -> Res<Vec<f32>, D> {
    let mut total: Vec<f32> = Vec::new();
    for (x_nc, w_vc, cap) in teachers {
        let x = x_nc.clone().try_slice((rows.clone(), ..))?;
        let logits = capped(linear::composed(x, w_vc)?, *cap)?.try_mul(1.0 / temperature)?;
        let one = logits.try_softmax::<Axis<1>>()?.as_vec();
        total.resize(one.len(), 0.0);
        total.iter_mut().zip(one).for_each(|(sum, p)| *sum += p / teachers.len() as f32);
    }
    Ok(total)
}
