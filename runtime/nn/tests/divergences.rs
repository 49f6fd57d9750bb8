//! Ways to compare a student with its teachers: fused = composed, gradients are slopes, nothing to learn where they agree.
#![cfg(feature = "kernels")]

mod common;

use common::{batch, difference, gemma, model, on_threads, specs};
use llmp_nn::{Architecture, DistillSums, Divergence, Extras, Grads, MicroBatch, Model, Path, Teaching};

const WAYS: [Divergence; 3] = [Divergence::Forward, Divergence::Reverse, Divergence::Middle];

fn step(
    student: &Model,
    teachers: &[&Model],
    batch: &MicroBatch,
    way: (Divergence, f32),
) -> (DistillSums, Grads) {
    let mut grads = Grads::zeros(student.spec());
    let teaching = Teaching::Whole { teachers, temperature: way.1, divergence: way.0 };
    let n = batch.counted() as f64;
    let sums = student.distill_and_grads(batch, n, &teaching, Extras::default(), &mut grads).expect("runs");
    (sums, grads)
}

/// A caps-and-windows teacher and a wider one, for a student of the plain family; all of one vocabulary.
fn cast() -> (Model, [Model; 2]) {
    let teachers = [model(&gemma(), 5), model(&Architecture { width: 32, ..specs()[0].clone() }, 6)];
    (model(&specs()[1], 7), teachers)
}

#[test]
fn fused_comparisons_equal_their_definition_and_threads_change_nothing() {
    let (student, [one, two]) = cast();
    let batch = batch(student.spec(), 3, 17, true, 8);
    for teachers in [vec![&one], vec![&one, &two]] {
        for way in WAYS.into_iter().flat_map(|d| [(d, 1.0), (d, 2.5)]) {
            let (fused, grads) = step(&student, &teachers, &batch, way);
            let (composed, wanted) = step(&student.clone().with_path(Path::Composed), &teachers, &batch, way);
            let near = |a: f64, b: f64| (a - b).abs() < 2e-5 * b.abs().max(1.0);
            assert!(near(fused.loss_sum, composed.loss_sum), "{way:?}: {fused:?} and {composed:?}");
            assert!(near(fused.teacher_sum, composed.teacher_sum), "{way:?}: {fused:?} and {composed:?}");
            assert!(near(fused.truth.nll_sum, composed.truth.nll_sum) && fused.teacher_sum > 1.0);
            let apart = difference(grads.flat(), wanted.flat());
            assert!(apart < 2e-5, "{way:?}: gradients differ by {apart:e}");
            let alone = on_threads(1, || step(&student, &teachers, &batch, way));
            assert!(alone.1 == grads && alone.0 == fused);
        }
    }
}

#[test]
fn gradients_of_every_comparison_are_slopes() {
    let (student, [one, two]) = cast();
    let batch = batch(student.spec(), 2, 13, true, 9);
    let teachers = [&one, &two];
    for way in WAYS.into_iter().flat_map(|d| [(d, 1.0), (d, 1.7)]) {
        let (_, grads) = step(&student, &teachers, &batch, way);
        let flat = student.to_flat();
        let norm = grads.flat().iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        let at = |h: f64| {
            let moved = flat.iter().zip(grads.flat()).map(|(x, g)| x + (h * f64::from(*g) / norm) as f32);
            let mut student = student.clone();
            student.set_flat(&moved.collect::<Vec<_>>()).expect("fits");
            step(&student, &teachers, &batch, way).0.loss_sum / batch.counted() as f64
        };
        let slope = |h: f64| (at(h) - at(-h)) / (2.0 * h);
        let found = (4.0 * slope(0.01) - slope(0.02)) / 3.0;
        assert!((found / norm - 1.0).abs() < 5e-3, "{way:?}: {found} and {norm}");
    }
}

#[test]
fn a_student_that_agrees_has_nothing_to_learn() {
    let student = model(&specs()[0], 3);
    let batch = batch(student.spec(), 2, 9, false, 1);
    for way in WAYS.into_iter().flat_map(|d| [(d, 1.0), (d, 3.0)]) {
        let (sums, grads) = step(&student, &[&student], &batch, way);
        assert!(sums.teacher_sum.abs() < 1e-4 && sums.truth.nll_sum > 1.0, "{way:?}: {sums:?}");
        assert!(grads.flat().iter().all(|g| g.abs() < 1e-4), "{way:?}");
    }
}
