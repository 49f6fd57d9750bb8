//! Distillation: the divergence from what a teacher says, given as a few tokens a position or as whole
//! distributions.
//!
//! Shapes as in [`crate::kernels`]. With y the target's distribution and p the student's, a position's loss is
//! `KL(y || p)`: the cross-entropy to y less a constant, so 0 where the student agrees. Whole distributions may be
//! compared in other ways, see [`Divergence`].

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
        /// How the two distributions are compared.
        divergence: Divergence,
    },
}

/// How a distribution p of the student is compared with y of the teacher.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Divergence {
    /// `KL(y || p)`.
    #[default]
    Forward,
    /// `KL(p || y)` (Gu et al. 2023).
    Reverse,
    /// `(KL(y || m) + KL(p || m)) / 2` with m half way between them (Agarwal et al. 2023).
    Middle,
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
        Lesson::Whole { teachers, temperature: t, divergence } => {
            let logprobs = logits.try_mul(1.0 / t)?.try_log_softmax::<Axis<1>>()?;
            let table = mean_probabilities(teachers, 0..n, *t)?;
            if *divergence != Divergence::Forward {
                let plain = (plain.as_slice(), truth);
                let (loss, sums) =
                    compared(logprobs, &table, plain, *divergence, (f64::from(t * t), normaliser))?;
                return penalised((loss, sums), again, truth, normaliser, form.z_loss);
            }
            (logprobs, table, (t * t, 0.0))
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
    penalised((loss, sums), again, truth, normaliser, form.z_loss)
}

/// Adds the z-loss of the logits where there is one.
fn penalised<D: Device<f32>, T: Tape<f32, D> + Merge<T>>(
    (loss, mut sums): (T0<D, T>, DistillSums),
    logits: T2<D, T>,
    truth: &[u32],
    normaliser: f64,
    weight: f32,
) -> Res<(T0<D, T>, DistillSums), D> {
    if weight == 0.0 {
        return Ok((loss, sums));
    }
    let (penalty, z_sum) = z_loss(logits, truth, normaliser, weight)?;
    sums.truth.z_sum = z_sum;
    Ok((loss.try_add(penalty)?, sums))
}

/// The definition for divergences that weigh by the student's own probabilities. `plain` are its log-probabilities
/// without a temperature; rows whose truth is [`IGNORE`] weigh 0.
fn compared<D: Device<f32>, T: Tape<f32, D> + Merge<T>>(
    logprobs: T2<D, T>,
    table: &[f32],
    (plain, truth): (&[f32], &[u32]),
    divergence: Divergence,
    (factor, normaliser): (f64, f64),
) -> Res<(T0<D, T>, DistillSums), D> {
    let device = logprobs.device().clone();
    let (n, v) = *logprobs.shape();
    let tensor = |numbers: Vec<f32>| device.try_tensor_from_vec(numbers, (n, v));
    let log = |y: &f32| y.max(f32::MIN_POSITIVE).ln();
    let ours = logprobs.as_vec();
    let mut sums = DistillSums::default();
    for (row, &own) in truth.iter().enumerate().filter(|(_, t)| **t != IGNORE) {
        let one = |i: usize| {
            let (l, k, y) = (f64::from(ours[i]), f64::from(log(&table[i])), f64::from(table[i]));
            let p = l.exp();
            if divergence == Divergence::Middle {
                let m = (0.5 * (p + y)).max(f64::MIN_POSITIVE).ln();
                0.5 * (p * (l - m) + y * (k - m))
            } else {
                p * (l - k)
            }
        };
        let divergence = (row * v..(row + 1) * v).map(one).sum::<f64>();
        let nll_sum = -f64::from(plain[row * v + own as usize]);
        let truth = LossSums { nll_sum, targets: 1, z_sum: 0.0 };
        sums += DistillSums { loss_sum: factor * divergence, teacher_sum: divergence, truth };
    }
    let theirs = tensor(table.iter().map(log).collect())?;
    let (a, b) = twice(logprobs);
    let p = a.try_exp()?;
    let terms = if divergence == Divergence::Middle {
        let y = tensor(table.to_vec())?;
        let (p, q) = twice(p);
        let (c, d) = twice(p.try_add(y.clone())?.try_mul(0.5)?.try_ln()?);
        let to_theirs = d.try_negate()?.try_add(theirs)?.try_mul(y)?;
        q.try_mul(b.try_sub(c)?)?.try_add(to_theirs)?.try_mul(0.5)?
    } else {
        p.try_mul(b.try_sub(theirs)?)?
    };
    let counts = truth.iter().flat_map(|t| std::iter::repeat_n(f32::from(u8::from(*t != IGNORE)), v));
    let rows = terms.try_mul(tensor(counts.collect())?)?.try_sum::<(usize,), Axis<1>>()?;
    Ok((rows.try_sum::<Rank0, Axis<0>>()?.try_mul((factor / normaliser) as f32)?, sums))
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
