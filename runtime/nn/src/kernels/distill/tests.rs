//! Laws of distillation: fused = composed, gradients are slopes, nothing to learn where student and teacher agree.

use dfdx::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::IGNORE;
use crate::kernels::Kernels;

fn matrix(rows: usize, cols: usize, scale: f32, seed: u64) -> T2<Cpu> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let numbers = (0..rows * cols).map(|_| scale * random.random_range(-1.0f32..1.0));
    Cpu::default().tensor_from_vec(numbers.collect::<Vec<_>>(), (rows, cols))
}

fn truth(n: usize, v: usize) -> Vec<u32> {
    (0..n as u32).map(|i| if i % 5 == 3 { IGNORE } else { i * 31 % v as u32 }).collect()
}

/// Loss, sums, and gradients of twice the loss in x and w.
type Run = (f32, DistillSums, Vec<f32>, Vec<f32>);

fn run(fused: bool, x: &T2<Cpu>, w: &T2<Cpu>, truth: &[u32], lesson: &Lesson<'_, Cpu>) -> Run {
    run_with(fused, x, w, truth, lesson, 0.0)
}

fn run_with(
    fused: bool,
    x: &T2<Cpu>,
    w: &T2<Cpu>,
    truth: &[u32],
    lesson: &Lesson<'_, Cpu>,
    z_loss: f32,
) -> Run {
    let form = HeadForm { cap: Some(9.0), z_loss };
    let taped = x.clone().leaky_traced();
    let (loss, sums) = match fused {
        true => Cpu::distill_loss(taped, w, truth, lesson, 3.0, form).expect("memory"),
        false => composed(taped, w, truth, lesson, 3.0, form).expect("memory"),
    };
    let value = loss.array();
    let mut map = (loss * 2.0).backward();
    let mut drained = |t: &T2<Cpu>| {
        let mut into = vec![0.0; t.shape().num_elements()];
        Cpu::drain(&mut map, t, &mut into).expect("memory");
        into
    };
    let (gx, gw) = (drained(x), drained(w));
    (value, sums, gx, gw)
}

/// Largest difference, relative to the largest entry.
fn apart(a: &[f32], b: &[f32]) -> f32 {
    let top = b.iter().fold(1e-6f32, |m, x| m.max(x.abs()));
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / top
}

const WAYS: [Divergence; 3] = [Divergence::Forward, Divergence::Reverse, Divergence::Middle];

/// A check of one lesson: its name, states, head, truth.
type Check<'a> = &'a dyn Fn(&str, &T2<Cpu>, &T2<Cpu>, &[u32], &Lesson<'_, Cpu>);

/// Runs a check on every kind of lesson for `n` positions, a student width `c` and a vocabulary `v`.
fn lessons(n: usize, c: usize, v: usize, check: Check<'_>) {
    let (x, w, truth) = (matrix(n, c, 2.0, 1), matrix(v, c, 2.0, 2), truth(n, v));
    // Teachers are wider than the student and sure of themselves.
    let heads = [matrix(v, c + 3, 2.0, 3), matrix(v, c + 1, 1.0, 4)];
    let taught: Vec<Taught<'_, Cpu>> =
        heads.iter().map(|w| (matrix(n, w.shape().1, 2.0, 5), w, Some(20.0))).collect();
    for (what, choice) in
        [("likeliest", Pick::Likeliest(1)), ("some", Pick::Likeliest(4)), ("drawn", Pick::Drawn(9))]
    {
        let targets = pick(&taught, &truth, choice, &|at| at as u64).expect("memory");
        for (teacher, share) in [(0.9, 0.1), (1.0, 0.0)] {
            check(what, &x, &w, &truth, &Lesson::Tokens { targets: &targets, teacher, truth: share });
        }
    }
    for teachers in [&taught[..1], &taught[..]] {
        for temperature in [1.0, 2.5] {
            for divergence in WAYS {
                let what = format!("{divergence:?}");
                check(&what, &x, &w, &truth, &Lesson::Whole { teachers, temperature, divergence });
            }
        }
    }
}

#[test]
fn fused_distillation_equals_its_definition() {
    // 9,000 entries cut 900 rows into chunks of 888.
    for (n, c, v) in [(1, 3, 5), (7, 5, 11), (64, 17, 130), (65, 17, 130), (900, 4, 9000)] {
        lessons(n, c, v, &|what, x, w, truth, lesson| {
            let z = if n % 2 == 0 { 0.0 } else { 0.01 };
            let run = |fused| run_with(fused, x, w, truth, lesson, z);
            let (a, b) = (run(true), run(false));
            let near = |a: f64, b: f64| (a - b).abs() < 2e-5 * b.abs().max(1.0);
            assert!(near(f64::from(a.0), f64::from(b.0)), "{what} {n} x {v}: {} and {}", a.0, b.0);
            assert!(near(a.1.loss_sum, b.1.loss_sum) && near(a.1.teacher_sum, b.1.teacher_sum), "{what}");
            assert!(near(a.1.truth.nll_sum, b.1.truth.nll_sum), "{what}: {:?} and {:?}", a.1, b.1);
            assert_eq!(a.1.truth.targets, b.1.truth.targets);
            assert!(near(a.1.truth.z_sum, b.1.truth.z_sum) && (a.1.truth.z_sum > 0.0) == (z > 0.0), "{what}");
            let whole = a.1.loss_sum + f64::from(z) * a.1.truth.z_sum;
            assert!((f64::from(a.0) - whole / 3.0).abs() < 1e-4 * f64::from(a.0).abs().max(1.0));
            let (gx, gw) = (apart(&a.2, &b.2), apart(&a.3, &b.3));
            // Sums of the definition over a large vocabulary are less exact than the kernel's: see the test in float64.
            let bound = if matches!(what, "Reverse" | "Middle") { 2e-4 } else { 2e-5 };
            assert!(gx < bound && gw < bound, "{what} {n} x {v}: gradients differ by {gx:e} and {gw:e}");
        });
    }
}

/// The gradient of the states by the definition, in float64; factors as in [`run_with`].
fn slopes(x: &T2<Cpu>, w: &T2<Cpu>, teacher: &Taught<'_, Cpu>, divergence: Divergence) -> Vec<f32> {
    let (n, v) = (x.shape().0, w.shape().0);
    let logits = |x: &T2<Cpu>, w: &T2<Cpu>, row: usize, cap: f64| -> Vec<f64> {
        let c = w.shape().1;
        let (x, w) = (x.as_vec(), w.as_vec());
        let dot = |o: usize| (0..c).map(|i| f64::from(x[row * c + i]) * f64::from(w[o * c + i])).sum::<f64>();
        (0..v).map(|o| cap * (dot(o) / cap).tanh()).collect()
    };
    let logs = |y: &[f64]| -> Vec<f64> {
        let total = y.iter().map(|y| y.exp()).sum::<f64>().ln();
        y.iter().map(|y| y - total).collect()
    };
    let (columns, w_all) = (w.shape().1, w.as_vec());
    let mut all = Vec::new();
    for row in 0..n {
        let bent = logits(x, w, row, 9.0);
        let theirs = logs(&logits(&teacher.0, teacher.1, row, f64::from(teacher.2.expect("a cap"))));
        let ours = logs(&bent);
        let (share, above): (f64, Vec<f64>) = match divergence {
            Divergence::Middle => {
                let middle = |(l, k): (&f64, &f64)| l - (0.5 * (l.exp() + k.exp())).ln();
                (0.5, ours.iter().zip(&theirs).map(middle).collect())
            }
            _ => (1.0, ours.iter().zip(&theirs).map(|(l, k)| l - k).collect()),
        };
        let mean = ours.iter().zip(&above).map(|(l, f)| l.exp() * f).sum::<f64>();
        let slope = |o: usize| {
            let bend = 1.0 - (bent[o] / 9.0).powi(2);
            share * ours[o].exp() * (above[o] - mean) * bend * 2.0 / 3.0
        };
        let slopes: Vec<f64> = (0..v).map(slope).collect();
        let sum = |i: usize| (0..v).map(|o| slopes[o] * f64::from(w_all[o * columns + i])).sum::<f64>();
        all.extend((0..columns).map(|i| sum(i) as f32));
    }
    all
}

#[test]
fn comparisons_over_a_whole_vocabulary_have_the_slopes_of_float64() {
    let (x, w, head) = (matrix(24, 4, 2.0, 1), matrix(9000, 4, 2.0, 2), matrix(9000, 7, 2.0, 3));
    let teachers = [(matrix(24, 7, 2.0, 5), &head, Some(20.0))];
    let truth: Vec<u32> = (0..24).collect();
    for divergence in [Divergence::Reverse, Divergence::Middle] {
        let lesson = Lesson::Whole { teachers: &teachers, temperature: 1.0, divergence };
        let wanted = slopes(&x, &w, &teachers[0], divergence);
        let [fused, composed] =
            [true, false].map(|fused| apart(&run_with(fused, &x, &w, &truth, &lesson, 0.0).2, &wanted));
        assert!(fused < 1e-5 && composed < 1e-4, "{divergence:?}: {fused:e}, composed {composed:e}");
    }
}

#[test]
fn every_gradient_is_a_slope_of_the_loss() {
    lessons(9, 6, 13, &|what, x, w, truth, lesson| {
        let run = |x: &_, w: &_| run_with(true, x, w, truth, lesson, 0.02);
        let (_, _, gx, gw) = run(x, w);
        for (at_x, g) in [(true, gx), (false, gw)] {
            let norm = g.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
            let base = if at_x { x } else { w };
            let at = |h: f64| {
                let moved =
                    base.as_vec().into_iter().zip(&g).map(|(x, &g)| x + (h * f64::from(g) / norm) as f32);
                let moved = Cpu::default().tensor_from_vec(moved.collect::<Vec<_>>(), *base.shape());
                let (x, w) = if at_x { (&moved, w) } else { (x, &moved) };
                let sums = run(x, w).1;
                2.0 * (sums.loss_sum + f64::from(0.02f32) * sums.truth.z_sum) / 3.0
            };
            let slope = |h: f64| (at(h) - at(-h)) / (2.0 * h);
            let found = (4.0 * slope(0.01) - slope(0.02)) / 3.0;
            assert!((found / norm - 1.0).abs() < 2e-3, "{what}: {found} and {norm}");
        }
    });
}

#[test]
fn a_student_that_agrees_has_nothing_to_learn() {
    let (n, v) = (6, 9);
    let (x, w, truth) = (matrix(n, 4, 2.0, 1), matrix(v, 4, 2.0, 2), truth(n, v));
    for temperature in [1.0, 3.0] {
        let teachers = [(x.clone(), &w, Some(9.0))];
        for divergence in WAYS {
            let lesson = Lesson::Whole { teachers: &teachers, temperature, divergence };
            let (_, sums, gx, gw) = run(true, &x, &w, &truth, &lesson);
            assert!(sums.teacher_sum.abs() < 1e-5 && sums.truth.nll_sum > 1.0, "{sums:?}");
            assert!(gx.iter().chain(&gw).all(|g| g.abs() < 1e-5));
        }
    }
    // All of the vocabulary as tokens is the whole distribution.
    let teacher = matrix(v, 4, 1.0, 7);
    let taught = [(x.clone(), &teacher, None)];
    let targets = pick(&taught, &truth, Pick::Likeliest(v), &|_| 0).expect("memory");
    let tokens = run(true, &x, &w, &truth, &Lesson::Tokens { targets: &targets, teacher: 1.0, truth: 0.0 });
    let whole = run(
        true,
        &x,
        &w,
        &truth,
        &Lesson::Whole { teachers: &taught, temperature: 1.0, divergence: Divergence::Forward },
    );
    assert!((tokens.0 / whole.0 - 1.0).abs() < 1e-5 && apart(&tokens.2, &whole.2) < 1e-5);
}

#[test]
fn targets_that_do_not_fit_are_errors() {
    let mut targets = Targets::default();
    targets.push([(3, 0.5), (8, 0.5)]);
    assert!(targets.validate("t", 1, 9).is_ok());
    assert!(targets.validate("t", 2, 9).is_err() && targets.validate("t", 1, 8).is_err());
    targets.push([(1, f32::NAN)]);
    assert!(targets.validate("t", 2, 9).is_err());
}
