//! Products of operands rounded to bf16 with sums in 32 bits, on processors that multiply bf16 pairs.
//!
//! The right operand is packed whole, and may serve many products; the left one is packed block by block by the
//! thread that multiplies it. The depth is cut by its length alone, so sums do not depend on threads.

mod avx512;

use std::cell::Cell;
use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::mm::{Store, View, Workers};
use avx512::{COLS, Lanes, Processor, ROWS};

/// Longest depth of a panel: a right one then fills two thirds of the first-level cache.
const DEPTH: usize = 512;
/// Most left panels that a thread keeps packed (in its second-level cache).
const BLOCK: usize = 20;

thread_local! {
    /// Buffers are taken out while they are used: a thread that waits may run another product meanwhile.
    static LEFT: Cell<Vec<u32>> = const { Cell::new(Vec::new()) };
    static RIGHT: Cell<Vec<u32>> = const { Cell::new(Vec::new()) };
}

/// A packed right operand: blocks of depth, each with the panels of all columns.
pub(crate) struct Packed {
    processor: Processor,
    words: Vec<u32>,
}

impl Drop for Packed {
    fn drop(&mut self) {
        RIGHT.set(std::mem::take(&mut self.words));
    }
}

/// Starts and lengths of the blocks of a depth; all but the last are even.
fn blocks(k: usize) -> impl Iterator<Item = (usize, usize)> {
    let step = k.div_ceil(k.div_ceil(DEPTH).max(1)).next_multiple_of(32).max(32);
    (0..k).step_by(step).map(move |start| (start, step.min(k - start)))
}

/// `words` with room for `n`; what they hold does not matter.
fn sized(mut words: Vec<u32>, n: usize) -> Vec<u32> {
    if words.len() < n {
        words.clear();
        words.resize(n, 0);
    }
    words
}

impl Packed {
    /// Packs B (k x n); none where the processor lacks bf16 products.
    pub(super) fn new(b: View<'_>, (k, n): (usize, usize)) -> Option<Self> {
        let processor = Processor::detect()?;
        let (data, row, col) = b.parts();
        let panels = n.div_ceil(COLS);
        let mut words = sized(RIGHT.take(), k.div_ceil(2) * panels * COLS);
        let mut rest = words.as_mut_slice();
        for (start, depth) in blocks(k) {
            let panel = depth.div_ceil(2) * COLS;
            let (block, tail) = std::mem::take(&mut rest).split_at_mut(panel * panels);
            rest = tail;
            block.par_chunks_mut(panel * 4).enumerate().for_each(|(at, to)| {
                let first = at * 4 * COLS;
                let lanes = Lanes { data: &data[start * row + first * col..], lane: col, depth: row };
                processor.pack::<COLS>(to, lanes, (4 * COLS).min(n - first), depth);
            });
        }
        Some(Self { processor, words })
    }

    /// C (m x n, rows of `stride`) from A (m x k). With [`Store::Add`] all of C must have been written.
    pub(super) fn multiply(
        &self,
        (m, n, k): (usize, usize, usize),
        c: &mut [MaybeUninit<f32>],
        stride: usize,
        store: Store,
        a: View<'_>,
        workers: Workers,
    ) {
        let words: usize =
            n.div_ceil(COLS) * COLS * blocks(k).map(|(_, depth)| depth.div_ceil(2)).sum::<usize>();
        assert!(words <= self.words.len(), "bf16: a right operand of another size than {k} x {n}");
        let threads = if workers == Workers::Pool { rayon::current_num_threads() } else { 1 };
        let panels = m.div_ceil(ROWS).div_ceil(8 * threads).clamp(4, BLOCK);
        let c = &mut c[..(m - 1) * stride + n];
        let block = |(at, c): (usize, &mut [MaybeUninit<f32>])| {
            let first = at * panels * ROWS;
            self.rows(first, ((panels * ROWS).min(m - first), n, k), c, stride, store, a);
        };
        match workers {
            Workers::Pool => {
                c.par_chunks_mut(panels * ROWS * stride).with_max_len(1).enumerate().for_each(block)
            }
            Workers::One => c.chunks_mut(panels * ROWS * stride).enumerate().for_each(block),
        }
    }

    /// `m` rows of C, from row `first` of A.
    fn rows(
        &self,
        first: usize,
        (m, n, k): (usize, usize, usize),
        c: &mut [MaybeUninit<f32>],
        stride: usize,
        store: Store,
        a: View<'_>,
    ) {
        let (data, row, col) = a.parts();
        let mut left = LEFT.take();
        let mut rest = self.words.as_slice();
        for (start, depth) in blocks(k) {
            let pairs = depth.div_ceil(2);
            let size = m.div_ceil(ROWS) * ROWS * pairs;
            left = sized(left, size);
            let lanes = Lanes { data: &data[first * row + start * col..], lane: row, depth: col };
            self.processor.pack::<ROWS>(&mut left[..size], lanes, m, depth);
            let add = store == Store::Add || start > 0;
            let columns = (0..n).step_by(COLS);
            for (j, right) in columns.zip(rest.chunks_exact(pairs * COLS)) {
                for (i, left) in (0..m).step_by(ROWS).zip(left.chunks_exact(pairs * ROWS)) {
                    let size = (ROWS.min(m - i), COLS.min(n - j));
                    self.processor.tile((left, right), &mut c[i * stride + j..], stride, add, size);
                }
            }
            rest = &rest[n.div_ceil(COLS) * COLS * pairs..];
        }
        LEFT.set(left);
    }
}
