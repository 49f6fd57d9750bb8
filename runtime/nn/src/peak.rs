//! The rate of matrix products that this machine reaches: what a training step is measured against.

use crate::kernels::Precision;
use crate::kernels::mm::{Store, View, Workers};

/// Shapes of the products, rows x columns x depth: those of a wide layer there and back.
const SHAPES: [(usize, usize, usize); 3] = [(2048, 512, 2048), (2048, 2048, 512), (2048, 768, 384)];

/// The best rate of a product in FLOP/s on the threads of the current pool, over about `seconds`.
///
/// `clock` gives seconds from any fixed moment. The rate is that of the product alone, so it is the highest that
/// a step of this crate can reach.
pub fn peak(precision: Precision, seconds: f64, clock: &dyn Fn() -> f64) -> f64 {
    let mut best: f64 = 0.0;
    for (m, n, k) in SHAPES {
        let ramp = |len: usize| -> Vec<f32> { (0..len).map(|i| (i % 251) as f32 / 251.0 - 0.5).collect() };
        let (a, b, mut c) = (ramp(m * k), ramp(k * n), vec![0.0; m * n]);
        let begin = clock();
        let mut runs = 0;
        while runs < 3 || clock() - begin < seconds / SHAPES.len() as f64 {
            let start = clock();
            let right = precision.right(View::rows(&b, k).t(), (k, n));
            right.mm((m, n, k), &mut c, n, Store::Set, View::rows(&a, k), Workers::Pool);
            let took = clock() - start;
            // A clock that stands still measures nothing.
            if took > 0.0 {
                best = best.max(2.0 * (m * n * k) as f64 / took);
            }
            runs += 1;
            if runs > 100_000 {
                break;
            }
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
        let most = SHAPES.iter().map(|(m, n, k)| 2.0 * (m * n * k) as f64).fold(0.0, f64::max);
        assert_eq!(peak(Precision::F32, 1.0, &clock), most / 0.5);
        assert_eq!(peak(Precision::Bf16, 1.0, &clock), most / 0.5);
    }
}
