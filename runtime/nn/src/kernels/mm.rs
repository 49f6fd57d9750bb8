//! The one door to matrix products: every GEMM of this crate goes through here.
#![expect(unsafe_code, reason = "the gemm crate takes raw pointers and strides")]

use gemm::Parallelism;

/// A strided view of a matrix that lies in a slice: element (i, j) is at `i * row + j * col`.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    data: &'a [f32],
    row: usize,
    col: usize,
}

impl<'a> View<'a> {
    /// Rows of `stride` elements.
    pub(crate) fn rows(data: &'a [f32], stride: usize) -> Self {
        Self { data, row: stride, col: 1 }
    }

    /// The transpose of a view.
    pub(crate) fn t(self) -> Self {
        Self { row: self.col, col: self.row, ..self }
    }

    fn check(&self, rows: usize, cols: usize) {
        let needed = if rows * cols == 0 { 0 } else { (rows - 1) * self.row + (cols - 1) * self.col + 1 };
        assert!(needed <= self.data.len(), "mm: a {rows} x {cols} view of {} elements", self.data.len());
    }
}

/// Who works on a product.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Workers {
    /// The calling thread.
    One,
    /// The current rayon pool. The order of sums does not depend on its size.
    Pool,
}

/// Whether a product replaces its destination or adds to it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    /// `C = A B`
    Set,
    /// `C += A B`
    Add,
}

/// C (m x n, rows of `stride`) from A (m x k) and B (k x n).
pub(crate) fn mm(
    (m, n, k): (usize, usize, usize),
    c: &mut [f32],
    stride: usize,
    store: Store,
    a: View<'_>,
    b: View<'_>,
    workers: Workers,
) {
    if m * n == 0 {
        return;
    }
    assert!(stride >= n && (m - 1) * stride + n <= c.len(), "mm: a {m} x {n} result in {} elements", c.len());
    a.check(m, k);
    b.check(k, n);
    // SAFETY: the three views lie inside their slices (checked above) and `c` is borrowed exclusively.
    unsafe { raw((m, n, k), c.as_mut_ptr(), stride, store, a, b, workers) }
}

/// A B as a new matrix.
pub(crate) fn product((m, n, k): (usize, usize, usize), a: View<'_>, b: View<'_>) -> Vec<f32> {
    if k == 0 {
        return vec![0.0; m * n];
    }
    a.check(m, k);
    b.check(k, n);
    let mut c = Vec::with_capacity(m * n);
    // SAFETY: `Set` writes all m * n elements without reading them, then the length may cover them.
    unsafe {
        raw((m, n, k), c.as_mut_ptr(), n, Store::Set, a, b, Workers::Pool);
        c.set_len(m * n);
    }
    c
}

/// # Safety
/// `c` must be valid for rows of `stride`, the views for m x k and k x n.
unsafe fn raw(
    (m, n, k): (usize, usize, usize),
    c: *mut f32,
    stride: usize,
    store: Store,
    a: View<'_>,
    b: View<'_>,
    workers: Workers,
) {
    let strides = |v: View<'_>| (v.col as isize, v.row as isize);
    let ((a_col, a_row), (b_col, b_row)) = (strides(a), strides(b));
    let add = store == Store::Add;
    let alpha = if add { 1.0 } else { 0.0 };
    let threads = if workers == Workers::Pool { Parallelism::Rayon(0) } else { Parallelism::None };
    let (pa, pb) = (a.data.as_ptr(), b.data.as_ptr());
    // SAFETY: promised by the caller.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c,
            1,
            stride as isize,
            add,
            pa,
            a_col,
            a_row,
            pb,
            b_col,
            b_row,
            alpha,
            1.0,
            false,
            false,
            false,
            threads,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(n: usize, seed: u32) -> Vec<f32> {
        (0..n as u32)
            .map(|i| (i.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 8) as f32 / 1e7 - 0.8)
            .collect()
    }

    #[test]
    fn all_transposes_and_both_stores_agree_with_the_plain_sum() {
        for (m, n, k) in [(1, 1, 1), (5, 7, 3), (33, 17, 65), (1, 40, 9), (64, 1, 300)] {
            let (a, b) = (numbers(m * k, 1), numbers(k * n, 2));
            for form in 0..4 {
                let va = if form & 1 == 0 { View::rows(&a, k) } else { View::rows(&a, m).t() };
                let vb = if form & 2 == 0 { View::rows(&b, n) } else { View::rows(&b, k).t() };
                let mut c = vec![1.0; m * n];
                mm((m, n, k), &mut c, n, Store::Add, va, vb, Workers::One);
                let fresh = product((m, n, k), va, vb);
                for i in 0..m {
                    for j in 0..n {
                        let at = |v: View<'_>, r: usize, s: usize| f64::from(v.data[r * v.row + s * v.col]);
                        let sum: f64 = (0..k).map(|l| at(va, i, l) * at(vb, l, j)).sum();
                        assert!((f64::from(fresh[i * n + j]) - sum).abs() < 1e-3, "{m}x{n}x{k} form {form}");
                        assert!((f64::from(c[i * n + j]) - sum - 1.0).abs() < 1e-3);
                    }
                }
            }
        }
    }
}
