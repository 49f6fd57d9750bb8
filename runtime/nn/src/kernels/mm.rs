//! The one door to matrix products: every GEMM of this crate goes through here.
#![expect(unsafe_code, reason = "the gemm crate takes raw pointers and strides")]

use std::mem::MaybeUninit;

use gemm::Parallelism;
use half::bf16;
use rayon::prelude::*;

#[cfg(target_arch = "x86_64")]
use super::bf16::Packed;

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

    /// The data, the stride of rows, the stride of columns; one of the two is 1.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn parts(self) -> (&'a [f32], usize, usize) {
        (self.data, self.row, self.col)
    }

    /// The `rows` x `cols` elements rounded to bf16, row-major.
    fn rounded(self, rows: usize, cols: usize) -> Vec<f32> {
        let at = |i: usize| self.data[i / cols * self.row + i % cols * self.col];
        (0..rows * cols).into_par_iter().map(|i| bf16::from_f32(at(i)).to_f32()).collect()
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

/// C (m x n, rows of `stride`) from A (m x k) and B (k x n), in 32 bits.
pub(crate) fn mm(
    shape: (usize, usize, usize),
    c: &mut [f32],
    stride: usize,
    store: Store,
    a: View<'_>,
    b: View<'_>,
    workers: Workers,
) {
    Right::Plain(b).mm(shape, c, stride, store, a, workers);
}

/// Number format of the operands of matrix products; sums, weights and activations keep 32 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floats.
    #[default]
    F32,
    /// Rounded to bfloat16: twice as fast on processors that multiply bf16 pairs, as fast as 32 bits on others.
    Bf16,
}

/// A B in 32 bits, as a new matrix.
pub(crate) fn product((m, n, k): (usize, usize, usize), a: View<'_>, b: View<'_>) -> Vec<f32> {
    Precision::F32.right(b, (k, n)).product((m, n, k), a)
}

impl Precision {
    /// B (k x n) as the right operand of one or more products.
    pub(crate) fn right(self, b: View<'_>, (k, n): (usize, usize)) -> Right<'_> {
        b.check(k, n);
        if self == Self::F32 {
            return Right::Plain(b);
        }
        #[cfg(target_arch = "x86_64")]
        if let Some(packed) = Packed::new(b, (k, n)) {
            return Right::Packed(packed);
        }
        Right::Rounded(b.rounded(k, n))
    }
}

/// A right operand in the form that its products read.
pub(crate) enum Right<'a> {
    /// As it lies in memory.
    Plain(View<'a>),
    /// Rounded to bf16 and row-major, for processors without bf16 products.
    Rounded(Vec<f32>),
    /// Rounded to bf16 pairs in the order in which the processor takes them.
    #[cfg(target_arch = "x86_64")]
    Packed(Packed),
}

impl Right<'_> {
    /// C (m x n, rows of `stride`) from A (m x k) and this operand (k x n).
    pub(crate) fn mm(
        &self,
        shape: (usize, usize, usize),
        c: &mut [f32],
        stride: usize,
        store: Store,
        a: View<'_>,
        workers: Workers,
    ) {
        let (n, elements) = (c.len(), c.as_mut_ptr().cast::<MaybeUninit<f32>>());
        // SAFETY: the same elements; `multiply` only writes numbers to them.
        let c = unsafe { std::slice::from_raw_parts_mut(elements, n) };
        self.multiply(shape, c, stride, store, a, workers);
    }

    /// A B as a new matrix.
    pub(crate) fn product(&self, (m, n, k): (usize, usize, usize), a: View<'_>) -> Vec<f32> {
        let mut c = Vec::with_capacity(m * n);
        self.multiply((m, n, k), &mut c.spare_capacity_mut()[..m * n], n, Store::Set, a, Workers::Pool);
        // SAFETY: `Set` has written all m * n elements.
        unsafe { c.set_len(m * n) };
        c
    }

    /// With [`Store::Add`] all of C must have been written, which only `mm` can ask for.
    fn multiply(
        &self,
        (m, n, k): (usize, usize, usize),
        c: &mut [MaybeUninit<f32>],
        stride: usize,
        store: Store,
        a: View<'_>,
        workers: Workers,
    ) {
        if m * n == 0 {
            return;
        }
        assert!(
            stride >= n && (m - 1) * stride + n <= c.len(),
            "mm: a {m} x {n} result in {} elements",
            c.len()
        );
        if k == 0 {
            if store == Store::Set {
                c.chunks_mut(stride).take(m).for_each(|row| row[..n].fill(MaybeUninit::new(0.0)));
            }
            return;
        }
        a.check(m, k);
        let rounded;
        let (a, b) = match self {
            #[cfg(target_arch = "x86_64")]
            Self::Packed(b) => return b.multiply((m, n, k), c, stride, store, a, workers),
            Self::Plain(b) => (a, *b),
            Self::Rounded(b) => {
                rounded = a.rounded(m, k);
                (View::rows(&rounded, k), View::rows(b, n))
            }
        };
        b.check(k, n);
        // SAFETY: the three views lie inside their slices (checked above) and `c` is borrowed exclusively; only
        // `Add` reads it.
        unsafe { raw((m, n, k), c.as_mut_ptr().cast(), stride, store, a, b, workers) }
    }
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

    fn at(v: View<'_>, row: usize, col: usize) -> f32 {
        v.data[row * v.row + col * v.col]
    }

    /// Every transpose of odd sizes, set and added, against the f64 sum of operands rounded as `round` says.
    fn agrees(round: impl Fn(f32) -> f64, form_of: impl Fn(View<'_>, (usize, usize)) -> Right<'_>) {
        for (m, n, k) in
            [(1, 1, 1), (5, 7, 3), (33, 17, 65), (1, 40, 9), (64, 1, 300), (37, 70, 1101), (2, 3, 0)]
        {
            let (a, b) = (numbers(m * k, 1), numbers(k * n, 2));
            for (form, workers) in (0..4).flat_map(|form| [(form, Workers::One), (form, Workers::Pool)]) {
                let va = if form & 1 == 0 { View::rows(&a, k) } else { View::rows(&a, m).t() };
                let vb = if form & 2 == 0 { View::rows(&b, n) } else { View::rows(&b, k).t() };
                let right = form_of(vb, (k, n));
                let stride = n + 3;
                let mut c = vec![1.0; m * stride];
                right.mm((m, n, k), &mut c, stride, Store::Add, va, workers);
                let fresh = right.product((m, n, k), va);
                for (i, j) in (0..m).flat_map(|i| (0..stride).map(move |j| (i, j))) {
                    let added = f64::from(c[i * stride + j]) - 1.0;
                    if j >= n {
                        assert_eq!(added, 0.0, "past the row");
                        continue;
                    }
                    let sum: f64 = (0..k).map(|l| round(at(va, i, l)) * round(at(vb, l, j))).sum();
                    let close = |x: f64| (x - sum).abs() < 1e-4 * (1.0 + (k as f64).sqrt());
                    assert!(close(f64::from(fresh[i * n + j])) && close(added), "{m}x{n}x{k} form {form}");
                }
            }
        }
    }

    #[test]
    fn products_in_32_bits_are_the_plain_sum() {
        agrees(f64::from, |b, size| Precision::F32.right(b, size));
    }

    fn to_bf16(x: f32) -> f64 {
        bf16::from_f32(x).to_f64()
    }

    #[test]
    fn products_in_bf16_are_the_sum_of_rounded_operands() {
        agrees(to_bf16, |b, size| Precision::Bf16.right(b, size));
    }

    #[test]
    fn products_without_bf16_hardware_round_in_the_same_way() {
        agrees(to_bf16, |b, (k, n)| Right::Rounded(b.rounded(k, n)));
    }

    #[test]
    fn bf16_products_do_not_depend_on_threads() {
        let (m, n, k) = (501, 130, 1300);
        let (a, b) = (numbers(m * k, 3), numbers(k * n, 4));
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            pool.install(|| {
                Precision::Bf16.right(View::rows(&b, n), (k, n)).product((m, n, k), View::rows(&a, k))
            })
        };
        let one = run(1);
        assert!(one == run(2) && one == run(5));
    }
}
