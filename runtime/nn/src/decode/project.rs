//! The matrix product of decoding: every output is one dot product whose order of sums never changes.

use rayon::prelude::*;

use crate::kernels::rows::{Short, project_rows, project_short_rows};

/// Multiplications that one task does at least.
const TASK: usize = 1 << 15;

/// A matrix as (o, c).
#[derive(Clone, Copy)]
pub(crate) enum Matrix<'a> {
    /// As it is stored.
    Wide(&'a [f32]),
    /// The same numbers in 16 bits.
    Short(&'a [Short]),
}

impl<'a> From<&'a [f32]> for Matrix<'a> {
    fn from(matrix: &'a [f32]) -> Matrix<'a> {
        Matrix::Wide(matrix)
    }
}

/// `x W^T` with x as (n, c) and W as (o, c): (n, o). Bitwise the same for a row whatever the others are.
pub(crate) fn project<'a>(x: &[f32], w: impl Into<Matrix<'a>>, c: usize) -> Vec<f32> {
    let w = w.into();
    let length = match w {
        Matrix::Wide(w) => w.len(),
        Matrix::Short(w) => w.len(),
    };
    let (n, o) = (x.len() / c, length / c);
    if n == 0 {
        return Vec::new();
    }
    let rows = TASK.div_ceil(c * n).max(8);
    let mut y_on = vec![0.0; o * n];
    let parts = y_on.par_chunks_mut(rows * n);
    match w {
        Matrix::Wide(w) => parts.zip(w.par_chunks(rows * c)).for_each(|(y, w)| project_rows(w, x, c, y)),
        Matrix::Short(w) => {
            parts.zip(w.par_chunks(rows * c)).for_each(|(y, w)| project_short_rows(w, x, c, y))
        }
    }
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
