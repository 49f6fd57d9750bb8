//! The matrix product of decoding: every output is one dot product whose order of sums never changes.

use rayon::prelude::*;

use crate::kernels::rows::project_rows;

/// Multiplications that one task does at least.
const TASK: usize = 1 << 15;

/// `x W^T` with x as (n, c) and W as (o, c): (n, o). Bitwise the same for a row whatever the others are.
pub(crate) fn project(x: &[f32], w: &[f32], c: usize) -> Vec<f32> {
    let (n, o) = (x.len() / c, w.len() / c);
    if n == 0 {
        return Vec::new();
    }
    let rows = TASK.div_ceil(c * n).max(8);
    let mut y_on = vec![0.0; o * n];
    y_on.par_chunks_mut(rows * n).zip(w.par_chunks(rows * c)).for_each(|(y, w)| project_rows(w, x, c, y));
    if n == 1 {
        return y_on;
    }
    let mut y_no = vec![0.0; n * o];
    y_no.par_chunks_mut(o).enumerate().for_each(|(i, y)| {
        for (y, column) in y.iter_mut().zip(y_on.chunks_exact(n)) {
            *y = column[i];
        }
    });
    y_no
}
