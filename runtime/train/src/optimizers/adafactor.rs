//! Adafactor (Shazeer and Stern 2018, algorithm 4) as PyTorch computes it.

#[cfg(feature = "kernels")]
use llmp_nn::optim;
use llmp_nn::spec::Role;
use llmp_stdlib::Problem;

use super::{Rule, decay, share};
#[cfg(feature = "kernels")]
use super::{Slot, Step};
#[cfg(feature = "kernels")]
use rayon::prelude::*;

llmp_stdlib::def! {
    /// Adafactor: the average of the squared gradient of a matrix is kept as one row and one column (Shazeer and Stern
    /// 2018), as PyTorch has it.
    ///
    /// The rate is relative: a step moves a tensor by at most `rate` times the root mean square of its weights (times
    /// 1e-3 where that is smaller), so rates near 1e-2 are usual. From step `1 / rate^2` on it falls with the root of the
    /// steps, whatever the schedule.
    Adafactor = "adafactor", rev 1, check check_adafactor {
        /// Decay of the averages: `1 - step^-decay_rate`.
        decay_rate: f64 = "0.8",
        /// Largest root mean square of an update.
        clip: f64 = "1.0",
        /// Decay of matrices, multiplied by the rate.
        weight_decay: f64 = "0",
    }
}

fn check_adafactor(it: &Adafactor) -> Vec<Problem> {
    share("decay_rate", it.decay_rate).into_iter().chain(decay(it.weight_decay)).collect()
}

/// Smallest mean square, and smallest root mean square of a tensor that its steps are measured by: PyTorch's defaults.
#[cfg(feature = "kernels")]
const SMALLEST: (f64, f64) = (f32::EPSILON as f64, 1e-3);

impl Rule for Adafactor {
    fn buffers(&self) -> &'static [&'static str] {
        &["rows", "columns"]
    }

    fn numbers(&self, shape: &[usize], _role: Role) -> Vec<usize> {
        match shape {
            [rows, columns] => vec![*rows, *columns],
            other => vec![other.iter().product(), 0],
        }
    }

    /// With `k = t^-decay_rate`: `R += k (mean of g^2 by row - R)`, `C` alike by column, `V = R C / mean(R)`;
    /// `u = g / sqrt(V)`, `u /= max(1, rms(u) / clip)`; `w = w (1 - rate decay) - min(rate, 1 / sqrt(t)) max(1e-3, rms(w)) u`.
    #[cfg(feature = "kernels")]
    fn update(&self, step: &Step, slot: Slot<'_>) -> Result<(), llmp_nn::NnError> {
        let Slot { shape, values, gradient, state, decays, .. } = slot;
        let [rows, columns] = state;
        let t = step.number as f64;
        let new = t.powf(-self.decay_rate);
        let square = |[x]: [f32; 1]| f64::from(x) * f64::from(x);
        let blend =
            |old: &mut f32, mean: f64| *old = (f64::from(*old) + new * (mean - f64::from(*old))) as f32;
        let least = SMALLEST.0 * SMALLEST.0;
        let root = |v: f64| (1.0 / v.max(least).sqrt()) as f32;
        let mut moves = vec![0.0f32; values.len()];
        if let [_, width] = *shape {
            for (old, row) in rows.iter_mut().zip(gradient.chunks(width)) {
                blend(old, optim::sum([row], &square) / width as f64);
            }
            for (old, sum) in columns.iter_mut().zip(column_squares(gradient, width)) {
                blend(old, sum / rows.len() as f64);
            }
            let mean = rows.iter().map(|&r| f64::from(r)).sum::<f64>() / rows.len() as f64;
            let mean = mean.max(SMALLEST.0);
            let lines = moves.par_chunks_mut(width).zip(gradient.par_chunks(width)).zip(rows.par_iter());
            lines.for_each(|((moves, gradient), &row)| {
                for ((to, g), &column) in moves.iter_mut().zip(gradient).zip(&*columns) {
                    *to = g * root(f64::from(row) * f64::from(column) / mean);
                }
            });
        } else {
            for ((to, &g), v) in moves.iter_mut().zip(gradient).zip(rows) {
                blend(v, f64::from(g) * f64::from(g));
                *to = g * root(f64::from(*v));
            }
        }
        let count = values.len() as f64;
        let rms = |x: &[f32]| (optim::sum([x], &square) / count).sqrt();
        let rate = step.rate.min(1.0 / t.sqrt()) * rms(values).max(SMALLEST.1);
        let by = (rate / (rms(&moves) / self.clip).max(1.0)) as f32;
        let keep = if decays { (1.0 - step.rate * self.weight_decay) as f32 } else { 1.0 };
        optim::each(values, &moves, [], &|p: f32, u: f32, []: [f32; 0]| (p * keep - by * u, []))
    }
}

/// The sum of squares of each column; blocks of rows of a fixed size are added in order.
#[cfg(feature = "kernels")]
fn column_squares(matrix: &[f32], width: usize) -> Vec<f64> {
    const ROWS: usize = 64;
    let block = |rows: &[f32]| {
        let mut sums = vec![0.0f64; width];
        for row in rows.chunks(width) {
            for (sum, &x) in sums.iter_mut().zip(row) {
                *sum += f64::from(x) * f64::from(x);
            }
        }
        sums
    };
    let parts: Vec<Vec<f64>> = matrix.par_chunks(ROWS * width).map(block).collect();
    let mut total = vec![0.0; width];
    for part in parts {
        for (sum, x) in total.iter_mut().zip(part) {
            *sum += x;
        }
    }
    total
}
