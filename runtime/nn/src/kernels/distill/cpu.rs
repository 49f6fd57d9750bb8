//! Distillation on the CPU: logits of student and teachers exist for one chunk of rows at a time, gradients are made
//! in the forward pass.
#![expect(unsafe_code, reason = "calls to the variant that the processor has")]

use std::ops::Range;

use dfdx::prelude::*;
use rayon::prelude::*;

use super::{DistillSums, Divergence, HeadForm, Lesson, Taught};
use crate::kernels::cpu::{made_ahead, view};
use crate::kernels::dispatch::row_kernel;
use crate::kernels::mm::{Store, View, Workers, mm};
use crate::kernels::rows::{
    add_scaled, add_to, cap_row, exp, largest, logsumexp_row, softmax_row, sum, uncap_grad_row,
};
use crate::kernels::{Res, T0, T2};
use crate::spec::head_rows;
use crate::{IGNORE, LossSums};

/// The fused version of [`super::composed`].
pub(crate) fn distill_loss<T: Tape<f32, Cpu>>(
    x_nc: T2<Cpu, T>,
    w_vc: &T2<Cpu>,
    truth: &[u32],
    lesson: &Lesson<'_, Cpu>,
    normaliser: f64,
    form: HeadForm,
) -> Res<(T0<Cpu, T>, DistillSums), Cpu> {
    let (x, tape) = x_nc.split_tape();
    let ((n, c), v) = (*x.shape(), w_vc.shape().0);
    let grads = |len: usize| vec![0.0; if T::OWNS_TAPE { len } else { 0 }];
    let (mut gx, mut gw) = (grads(n * c), grads(v * c));
    let rows = head_rows(v).min(n).max(1);
    let (mut logits, mut theirs) = (vec![0.0; rows * v], Teachers::new(lesson, rows * v));
    let mut sums = DistillSums::default();
    for (start, truth) in (0..).step_by(rows).zip(truth.chunks(rows)) {
        let n = truth.len();
        let (xs, w) = (View::rows(&view(&x)[start * c..][..n * c], c), View::rows(view(w_vc), c));
        let logits = &mut logits[..n * v];
        mm((n, v, c), logits, v, Store::Set, xs, w.t(), Workers::Pool);
        let bent = form.cap.map(|cap| {
            logits.par_chunks_exact_mut(v).for_each(|row| cap_row(row, 1.0, cap));
            (cap, logits.to_vec())
        });
        sums += theirs.compare(start, logits, truth, (1.0 / normaliser) as f32, form.z_loss);
        if let Some((cap, bent)) = bent {
            let rows = logits.par_chunks_exact_mut(v).zip(bent.par_chunks_exact(v));
            rows.for_each(|(row, bent)| uncap_grad_row(row, bent, cap));
        }
        if T::OWNS_TAPE {
            let d = View::rows(logits, v);
            mm((n, c, v), &mut gx[start * c..], c, Store::Set, d, w, Workers::Pool);
            mm((v, c, n), &mut gw, c, Store::Add, d.t(), xs, Workers::Pool);
        }
    }
    let loss = (sums.loss_sum + f64::from(form.z_loss) * sums.truth.z_sum) / normaliser;
    Ok((made_ahead(loss as f32, x.put_tape(tape), w_vc, gx, gw)?, sums))
}

/// What the teachers say about one chunk of rows.
struct Teachers<'a> {
    lesson: &'a Lesson<'a, Cpu>,
    /// Their logits, where they are compared whole.
    logits: Vec<f32>,
    /// Those of one of several.
    one: Vec<f32>,
}

impl<'a> Teachers<'a> {
    fn new(lesson: &'a Lesson<'a, Cpu>, len: usize) -> Self {
        let several = match lesson {
            Lesson::Tokens { .. } => 0,
            Lesson::Whole { teachers, .. } => teachers.len(),
        };
        let room = |needed: bool| vec![0.0; if needed { len } else { 0 }];
        Self { lesson, logits: room(several > 0), one: room(several > 1) }
    }

    /// Turns the student's logits of the rows from `start` on into their gradients.
    fn compare(
        &mut self,
        start: usize,
        logits: &mut [f32],
        truth: &[u32],
        scale: f32,
        z: f32,
    ) -> DistillSums {
        let (len, v) = (logits.len(), logits.len() / truth.len());
        let rows = logits.par_chunks_exact_mut(v).zip(truth);
        let of_rows: Vec<Row> = match self.lesson {
            Lesson::Tokens { targets, teacher, truth } => {
                let one = |(at, (row, &own)): (usize, (&mut [f32], &u32))| {
                    let said = || targets.row(start + at);
                    counted(row, own, |row| tokens(row, own as usize, said, (*teacher, *truth), (scale, z)))
                };
                rows.enumerate().map(one).collect()
            }
            Lesson::Whole { teachers, temperature, divergence } => {
                let theirs = &mut self.logits[..len];
                mean_logits(teachers, start, theirs, &mut self.one, *temperature);
                let one = |((row, &own), theirs): ((&mut [f32], &u32), &mut [f32])| {
                    counted(row, own, |row| {
                        whole(row, theirs, own as usize, (*temperature, *divergence), (scale, z))
                    })
                };
                rows.zip(theirs.par_chunks_exact_mut(v)).map(one).collect()
            }
        };
        let mut sums = DistillSums::default();
        for (Row { loss, teacher, nll, logsumexp }, _) in
            of_rows.into_iter().zip(truth).filter(|(_, t)| **t != IGNORE)
        {
            let z_sum = if z == 0.0 { 0.0 } else { f64::from(logsumexp).powi(2) };
            sums += DistillSums {
                loss_sum: f64::from(loss),
                teacher_sum: f64::from(teacher),
                truth: LossSums { nll_sum: f64::from(nll), targets: 1, z_sum },
            };
        }
        sums
    }
}

/// A row that does not count has no gradient.
fn counted(row: &mut [f32], own: u32, compare: impl FnOnce(&mut [f32]) -> Row) -> Row {
    if own == IGNORE {
        row.fill(0.0);
        return Row::default();
    }
    compare(row)
}

/// What one position adds to the sums.
#[derive(Clone, Copy, Default)]
struct Row {
    loss: f32,
    /// Divergence from the teacher.
    teacher: f32,
    /// Negative log-likelihood of the true token.
    nll: f32,
    logsumexp: f32,
}

/// One row against a few tokens and the true one. `scale` is what the loss is multiplied by, `z` the weight of the
/// squared logsumexp.
fn tokens<I: Iterator<Item = (u32, f32)>>(
    row: &mut [f32],
    own: usize,
    said: impl Fn() -> I,
    (teacher, truth): (f32, f32),
    (scale, z): (f32, f32),
) -> Row {
    let own_logit = row[own];
    // Sums of weight times logit, of weight times its log, and of weights.
    let (mut along, mut entropy, mut weight) = (0.0f32, 0.0f32, 0.0f32);
    for (id, w) in said().filter(|(_, w)| *w > 0.0) {
        along += w * row[id as usize];
        entropy += w * w.ln();
        weight += w;
    }
    let logsumexp = scaled_softmax_row(row, scale * (teacher * weight + truth), 2.0 * z * scale);
    row[own] -= scale * truth;
    said().for_each(|(id, w)| row[id as usize] -= scale * teacher * w);
    let (divergence, nll) = (weight * logsumexp - along + entropy, logsumexp - own_logit);
    Row { loss: teacher * divergence + truth * nll, teacher: divergence, nll, logsumexp }
}

/// One row against a whole row of the teacher.
fn whole(
    row: &mut [f32],
    theirs: &mut [f32],
    own: usize,
    (temperature, divergence): (f32, Divergence),
    (scale, z): (f32, f32),
) -> Row {
    let own = row[own];
    // The penalty is on the logits as they are, the divergence softens them.
    let penalised = (z != 0.0).then(|| {
        let mut plain = row.to_vec();
        (scaled_softmax_row(&mut plain, 0.0, 2.0 * z * scale), plain)
    });
    let logsumexp = penalised.as_ref().map_or_else(|| logsumexp_row(row), |p| p.0);
    let compare = match divergence {
        Divergence::Forward => divergence_row,
        Divergence::Reverse => reverse_row,
        Divergence::Middle => middle_row,
    };
    let divergence = compare(row, theirs, 1.0 / temperature, scale * temperature);
    if let Some((_, pull)) = &penalised {
        add_to(row, pull);
    }
    let loss = temperature * temperature * divergence;
    Row { loss, teacher: divergence, nll: logsumexp - own, logsumexp }
}

/// The teachers' logits for the rows from `start` on; of several, logits of their mean distribution.
fn mean_logits(teachers: &[Taught<'_, Cpu>], start: usize, out: &mut [f32], one: &mut [f32], t: f32) {
    if let [only] = teachers {
        return logits(only, start, out);
    }
    mean_of(teachers, start, out, one, t);
    // A probability that a float cannot hold is as good as 0.
    out.par_iter_mut().for_each(|p| *p = t * p.max(f32::MIN_POSITIVE).ln());
}

fn logits((x, w, cap): &Taught<'_, Cpu>, start: usize, out: &mut [f32]) {
    let ((_, c), v) = (*x.shape(), w.shape().0);
    let n = out.len() / v;
    let x = View::rows(&view(x)[start * c..][..n * c], c);
    mm((n, v, c), out, v, Store::Set, x, View::rows(view(w), c).t(), Workers::Pool);
    if let Some(cap) = cap {
        out.par_chunks_exact_mut(v).for_each(|row| cap_row(row, 1.0, *cap));
    }
}

/// The mean of the teachers' softened distributions for the rows from `start` on.
fn mean_of(teachers: &[Taught<'_, Cpu>], start: usize, out: &mut [f32], one: &mut [f32], t: f32) {
    out.fill(0.0);
    let share = 1.0 / teachers.len() as f32;
    for teacher in teachers {
        let (v, one) = (teacher.1.shape().0, &mut one[..out.len()]);
        logits(teacher, start, one);
        out.par_chunks_exact_mut(v).zip(one.par_chunks_exact_mut(v)).for_each(|(out, one)| {
            softmax_row(one, 0, v, 1.0 / t);
            add_scaled(out, one, share);
        });
    }
}

/// The fused version of [`super::mean_probabilities`].
pub(crate) fn mean_probabilities(teachers: &[Taught<'_, Cpu>], rows: Range<usize>, t: f32) -> Vec<f32> {
    let len = rows.len() * teachers.first().map_or(0, |(_, w, _)| w.shape().0);
    let (mut out, mut one) = (vec![0.0; len], vec![0.0; len]);
    mean_of(teachers, rows.start, &mut out, &mut one, t);
    out
}

row_kernel! {
    /// `x = (factor + pull logsumexp) softmax(x)`; returns the logsumexp.
    fn scaled_softmax_row(x: &mut [f32], factor: f32, pull: f32) -> f32 {
        let top = largest(x);
        for v in x.iter_mut() { *v = exp::<FMA>(*v - top) }
        let total = sum(x.len(), |i| x[i]);
        let logsumexp = top + total.ln();
        let k = (factor + pull * logsumexp) / total;
        for v in x.iter_mut() { *v *= k }
        logsumexp
    }
}

row_kernel! {
    /// `KL(softmax(inverse y) || softmax(inverse x))`; turns `x` into `factor` times the difference of the two
    /// softmaxes and spoils `y`.
    fn divergence_row(x: &mut [f32], y: &mut [f32], inverse: f32, factor: f32) -> f32 {
        let n = x.len();
        let y = &mut y[..n];
        let (top_x, top_y) = (largest(x), largest(y));
        let total_y = sum(n, |i| exp::<FMA>((y[i] - top_y) * inverse));
        let along = sum(n, |i| exp::<FMA>((y[i] - top_y) * inverse) * (y[i] - top_y - x[i] + top_x));
        for i in 0..n {
            x[i] = exp::<FMA>((x[i] - top_x) * inverse);
            y[i] = exp::<FMA>((y[i] - top_y) * inverse);
        }
        let total_x = sum(n, |i| x[i]);
        let (a, b) = (factor / total_x, factor / total_y);
        for i in 0..n { x[i] = a * x[i] - b * y[i] }
        along * inverse / total_y - total_y.ln() + total_x.ln()
    }
}

row_kernel! {
    /// Logs of `softmax(inverse x)` in place.
    fn log_softmax_row(x: &mut [f32], inverse: f32) {
        let (n, top) = (x.len(), largest(x));
        let total = sum(n, |i| exp::<FMA>((x[i] - top) * inverse)).ln();
        for v in x.iter_mut() { *v = (*v - top) * inverse - total }
    }
}

/// `KL(softmax(inverse x) || softmax(inverse y))`; turns `x` into `factor` times its slope by `inverse x` and spoils `y`.
fn reverse_row(x: &mut [f32], y: &mut [f32], inverse: f32, factor: f32) -> f32 {
    log_softmax_row(x, inverse);
    log_softmax_row(y, inverse);
    for (y, x) in y.iter_mut().zip(x.iter()) {
        *y = x - *y;
    }
    weighed_row(x, y, factor)
}

/// Half of the divergences of both softmaxes from their mean; turns `x` and `y` as [`reverse_row`].
fn middle_row(x: &mut [f32], y: &mut [f32], inverse: f32, factor: f32) -> f32 {
    log_softmax_row(x, inverse);
    log_softmax_row(y, inverse);
    let mut from_theirs = 0.0f64;
    for (y, x) in y.iter_mut().zip(x.iter()) {
        let theirs = y.exp();
        let middle = (0.5 * (theirs + x.exp())).max(f32::MIN_POSITIVE).ln();
        from_theirs += f64::from(theirs * (*y - middle));
        *y = x - middle;
    }
    0.5 * (from_theirs as f32 + weighed_row(x, y, 0.5 * factor))
}

row_kernel! {
    /// The mean of `y` under the probabilities whose logs are `x`; turns `x` into `factor` times what each adds to it
    /// above its share.
    fn weighed_row(x: &mut [f32], y: &[f32], factor: f32) -> f32 {
        let n = x.len();
        let y = &y[..n];
        for v in x.iter_mut() { *v = exp::<FMA>(*v) }
        let mean = sum(n, |i| x[i] * y[i]);
        for i in 0..n { x[i] = factor * x[i] * (y[i] - mean) }
        mean
    }
}
