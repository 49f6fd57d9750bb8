//! The rates of matrix products and memory that this machine reaches: what a training step is measured against.

use rayon::prelude::*;

use crate::kernels::Precision;
use crate::kernels::mm::{Store, View, Workers};

/// Shapes of the products, rows x columns x depth: a wide layer there and back, a narrow one, an output head.
const SHAPES: [[usize; 3]; 4] = [[2048, 512, 2048], [2048, 2048, 512], [2048, 768, 384], [1024, 8192, 384]];
/// Numbers that are copied to measure memory: more than caches hold.
const COPIED: usize = 32 << 20;

/// The rate of one product.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Rows, columns and depth.
    pub shape: [usize; 3],
    /// FLOP/s.
    pub flops: f64,
}

/// The best rates of some products on the threads of the current pool, over about `seconds`.
///
/// `clock` gives seconds from any fixed moment. The rates are those of the products alone, so no step of this crate
/// can be faster than the highest of them.
pub fn rates(precision: Precision, seconds: f64, clock: &dyn Fn() -> f64) -> Vec<Rate> {
    let rate = |shape: [usize; 3]| {
        let [m, n, k] = shape;
        let ramp = |len: usize| -> Vec<f32> { (0..len).map(|i| (i % 251) as f32 / 251.0 - 0.5).collect() };
        let (a, b, mut c) = (ramp(m * k), ramp(k * n), vec![0.0; m * n]);
        let fastest = fastest(seconds / SHAPES.len() as f64, clock, || {
            let right = precision.right(View::rows(&b, k).t(), (k, n));
            right.mm((m, n, k), &mut c, n, Store::Set, View::rows(&a, k), Workers::Pool);
        });
        Rate { shape, flops: fastest.map_or(0.0, |took| 2.0 * (m * n * k) as f64 / took) }
    };
    SHAPES.into_iter().map(rate).collect()
}

/// The highest of the [`rates`] in FLOP/s.
pub fn peak(precision: Precision, seconds: f64, clock: &dyn Fn() -> f64) -> f64 {
    rates(precision, seconds, clock).iter().map(|rate| rate.flops).fold(0.0, f64::max)
}

/// Bytes read and written a second by all threads that copy memory, at best.
pub fn bandwidth(seconds: f64, clock: &dyn Fn() -> f64) -> f64 {
    let (from, mut to) = (vec![1.0f32; COPIED], vec![0.0f32; COPIED]);
    let fastest = fastest(seconds, clock, || {
        let chunks = to.par_chunks_mut(1 << 18).zip(from.par_chunks(1 << 18));
        chunks.for_each(|(to, from)| to.copy_from_slice(std::hint::black_box(from)));
    });
    fastest.map_or(0.0, |took| 2.0 * size_of_val(from.as_slice()) as f64 / took)
}

/// Threads that measure.
pub fn threads() -> usize {
    rayon::current_num_threads()
}

/// Seconds of the fastest run over about `seconds`; none where the clock stands still.
fn fastest(seconds: f64, clock: &dyn Fn() -> f64, mut run: impl FnMut()) -> Option<f64> {
    let begin = clock();
    let mut best: Option<f64> = None;
    for runs in 0..100_000 {
        if runs >= 3 && clock() - begin >= seconds {
            break;
        }
        let start = clock();
        run();
        let took = clock() - start;
        if took > 0.0 {
            best = Some(best.map_or(took, |best| best.min(took)));
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn the_rate_is_the_work_over_the_time_of_the_clock() {
        let now = Cell::new(0.0);
        let clock = || {
            now.set(now.get() + 0.5);
            now.get()
        };
        let most = SHAPES.iter().map(|[m, n, k]| 2.0 * (m * n * k) as f64).fold(0.0, f64::max);
        assert_eq!(peak(Precision::F32, 1.0, &clock), most / 0.5);
        assert_eq!(peak(Precision::Bf16, 1.0, &clock), most / 0.5);
        assert_eq!(bandwidth(1.0, &clock), 8.0 * COPIED as f64 / 0.5);
    }
}
