//! The training step: fused = composed, finite differences, masks, accumulation, threads.
#![cfg(feature = "kernels")]

mod common;

use common::{batch, difference, every, model, on_threads, relative, spec, step};
use llmp_nn::spec::{ExpertForm, Order};
use llmp_nn::{Architecture, Extras, Grads, IGNORE, LossSums, MicroBatch, NnError, Noise, Path};

#[test]
fn fused_equals_composed() {
    for (i, spec) in every().into_iter().enumerate() {
        for (rows, length, documents) in
            [(1, 7, false), (2, 33, true), (3, 65, true), (1, 150, true), (1, 1, false)]
        {
            let fused = model(&spec, 3 + i as u64);
            let composed = fused.clone().with_path(Path::Composed);
            let b = batch(&spec, rows, length, documents, 11);
            let n = b.counted() as f64;
            let ((la, a), (lb, g)) = (step(&fused, &b, n), step(&composed, &b, n));
            assert_eq!(la.targets, lb.targets);
            assert!((la.nll_sum / lb.nll_sum - 1.0).abs() < 1e-5, "{la:?} {lb:?}");
            if length > 1 {
                let r = relative(&a, &g);
                assert!(r < 2e-5, "spec {i}, {rows} x {length}: gradients differ by {r:e}");
            }
            let untaped = fused.loss(&b).expect("a valid batch");
            assert_eq!(untaped, la, "with and without a tape");
        }
    }
}

#[test]
fn gradients_are_finite_differences() {
    for spec in &every() {
        let base = model(spec, 5);
        let b = batch(spec, 2, 23, true, 6);
        let n = b.counted() as f64;
        let (_, grads) = step(&base, &b, n);
        for (i, info) in spec.params().iter().enumerate() {
            // Along the gradient itself: the slope is its norm, far above the noise of f32.
            let g = grads.get(i);
            let norm = g.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
            if info.name.ends_with("k.bias") && norm < 1e-6 {
                continue; // without turns it moves all scores of a query alike
            }
            let at = |h: f64| {
                let mut moved = base.clone();
                for (p, &g) in moved.params_mut()[i].iter_mut().zip(g) {
                    *p += (h * f64::from(g) / norm) as f32;
                }
                moved.loss(&b).expect("a valid batch").nll_sum / n
            };
            let slope = |h: f64| (at(h) - at(-h)) / (2.0 * h);
            // Two steps, so that the error of third order cancels.
            let found = (4.0 * slope(4e-3) - slope(8e-3)) / 3.0;
            let close = (found - norm).abs() < 3e-3 * norm + 4e-5;
            assert!(close, "{}: slope {found}, gradient {norm}", info.name);
        }
    }
}

#[test]
fn two_documents_in_a_row_are_two_rows() {
    let spec = spec();
    let m = model(&spec, 8);
    let (a, b) = (batch(&spec, 1, 40, false, 1), batch(&spec, 1, 40, false, 2));
    let join = |x: &[u32], y: &[u32]| [x, y].concat();
    let rows = MicroBatch {
        rows: 2,
        length: 40,
        inputs: join(&a.inputs, &b.inputs),
        targets: join(&a.targets, &b.targets),
        doc_start: vec![0; 80],
    };
    let packed = MicroBatch { rows: 1, length: 80, doc_start: [[0; 40], [40; 40]].concat(), ..rows.clone() };
    let ((la, ga), (lb, gb)) = (step(&m, &rows, 80.0), step(&m, &packed, 80.0));
    assert!((la.nll_sum / lb.nll_sum - 1.0).abs() < 1e-6, "{la:?} {lb:?}");
    assert!(relative(&ga, &gb) < 1e-5);
    let crossed = MicroBatch { doc_start: vec![0; 80], ..packed };
    assert!((step(&m, &crossed, 80.0).0.nll_sum / la.nll_sum - 1.0).abs() > 1e-3, "the mask does something");
}

#[test]
fn accumulated_micro_batches_are_the_whole_batch() {
    let spec = spec();
    let m = model(&spec, 9);
    let whole = batch(&spec, 6, 31, true, 4);
    let n = whole.counted() as f64;
    let (sums, want) = step(&m, &whole, n);
    let mut grads = Grads::zeros(&spec);
    let mut total = LossSums::default();
    for rows in [0..1, 1..3, 3..6] {
        let range = rows.start * 31..rows.end * 31;
        let part = MicroBatch {
            rows: rows.len(),
            length: 31,
            inputs: whole.inputs[range.clone()].to_vec(),
            targets: whole.targets[range.clone()].to_vec(),
            doc_start: whole.doc_start[range].to_vec(),
        };
        total += m.loss_and_grads(&part, n, &mut grads).expect("a valid batch");
    }
    assert_eq!(total.targets, sums.targets);
    assert!((total.nll_sum / sums.nll_sum - 1.0).abs() < 1e-6);
    assert!(relative(&grads, &want) < 1e-5);
}

#[test]
fn bytes_do_not_depend_on_threads_or_on_the_run() {
    let plain = Architecture { vocab: 1031, width: 96, head_dim: 24, ffn: common::hidden(260), ..spec() };
    for spec in [plain, common::gemma(), common::gpt2(), common::odd()] {
        let m = model(&spec, 10);
        let b = batch(&spec, 5, 130, true, 5);
        let n = b.counted() as f64;
        let run = |threads| on_threads(threads, || step(&m, &b, n));
        let ((la, a), (lb, g), (lc, h)) = (run(1), run(2), run(2));
        assert!(la == lb && lb == lc);
        assert!(a == g, "1 thread and 2 threads");
        assert!(g == h, "the same run again");
        let (_, three) = run(3);
        assert!(three == a, "3 threads");
    }
}

#[test]
fn dropout_depends_on_the_place_in_the_batch_and_on_the_step_only() {
    for spec in [Architecture { dropout: 0.2, ..spec() }, Architecture { dropout: 0.4, ..common::gpt2() }] {
        let m = model(&spec, 14);
        let whole = batch(&spec, 4, 30, true, 6);
        let n = whole.counted() as f64;
        let run = |m: &llmp_nn::Model, batch: &MicroBatch, noise| {
            let mut grads = Grads::zeros(&spec);
            let sums = m
                .loss_and_grads_with(batch, n, Extras { noise, ..Extras::default() }, &mut grads)
                .expect("a valid batch")
                .0;
            (sums, grads)
        };
        let noise = |step, row| Some(Noise { seed: 9, step, row });
        let (sums, want) = run(&m, &whole, noise(3, 0));
        let (composed, slow) = run(&m.clone().with_path(Path::Composed), &whole, noise(3, 0));
        assert!((sums.nll_sum / composed.nll_sum - 1.0).abs() < 1e-5 && relative(&want, &slow) < 1e-5);
        let mut grads = Grads::zeros(&spec);
        let mut total = LossSums::default();
        for rows in [0..1, 1..4] {
            let range = rows.start * 30..rows.end * 30;
            let part = MicroBatch {
                rows: rows.len(),
                length: 30,
                inputs: whole.inputs[range.clone()].to_vec(),
                targets: whole.targets[range.clone()].to_vec(),
                doc_start: whole.doc_start[range].to_vec(),
            };
            let noise = noise(3, rows.start as u64);
            total += m
                .loss_and_grads_with(&part, n, Extras { noise, ..Extras::default() }, &mut grads)
                .expect("a valid batch")
                .0;
        }
        assert!((total.nll_sum / sums.nll_sum - 1.0).abs() < 1e-6 && relative(&grads, &want) < 1e-5);
        assert_ne!(run(&m, &whole, noise(4, 0)).0, sums, "another step");
        assert_eq!(run(&m, &whole, None).0, m.loss(&whole).expect("valid"), "none in evaluation");
        let (a, b) = (on_threads(1, || run(&m, &whole, noise(3, 0))), run(&m, &whole, noise(3, 0)));
        assert!(a == b, "1 thread and many");
    }
}

#[test]
fn a_feature_that_is_not_run_is_an_error() {
    let experts = ExpertForm {
        routed: 4,
        active: 2,
        hidden: 8,
        shared: 0,
        shared_gate: false,
        renormalise: false,
        balance: 0.0,
    };
    let spec = Architecture { experts: Some(experts), bias: true, ..spec() };
    let text = llmp_nn::Model::init(spec, 1).expect_err("biases").to_string();
    assert!(text.contains("experts with biases"), "{text}");
}

#[test]
fn masked_targets_do_not_count_and_teach_nothing() {
    let spec = spec();
    let m = model(&spec, 12);
    let mut b = batch(&spec, 2, 20, false, 3);
    b.targets[5..].fill(IGNORE);
    let (sums, a) = step(&m, &b, 5.0);
    assert_eq!(sums.targets, 5);
    let mut cut = batch(&spec, 2, 20, false, 3);
    cut.rows = 1;
    for v in [&mut cut.inputs, &mut cut.targets, &mut cut.doc_start] {
        v.truncate(20);
    }
    cut.targets[5..].fill(IGNORE);
    let (short, g) = step(&m, &cut, 5.0);
    assert!((sums.nll_sum / short.nll_sum - 1.0).abs() < 1e-6);
    assert!(difference(a.flat(), g.flat()) < 1e-5);
    b.targets.fill(IGNORE);
    let (none, zero) = step(&m, &b, 1.0);
    assert_eq!(none, LossSums::default());
    assert!(zero.flat().iter().all(|&g| g == 0.0));
}

#[test]
fn bad_calls_are_errors() {
    let spec = spec();
    let m = model(&spec, 1);
    let b = batch(&spec, 1, 4, false, 1);
    let mut grads = Grads::zeros(&spec);
    for normaliser in [0.0, -1.0, f64::NAN] {
        assert!(matches!(m.loss_and_grads(&b, normaliser, &mut grads), Err(NnError::Input { .. })));
    }
    let mut other = Grads::zeros(&llmp_nn::Architecture { layers: 1, ..spec.clone() });
    let text = m.loss_and_grads(&b, 4.0, &mut other).expect_err("another model's buffer").to_string();
    assert!(text.contains("the gradient buffer has"), "{text}");
    let empty = MicroBatch { rows: 0, length: 4, ..MicroBatch::default() };
    assert_eq!(m.loss_and_grads(&empty, 4.0, &mut grads).expect("nothing to do"), LossSums::default());
}

#[test]
fn parameter_counts_are_those_of_the_tensors() {
    for spec in every() {
        let m = model(&spec, 1);
        let counts: Vec<usize> = m.params().iter().map(|p| p.len()).collect();
        let infos = spec.params();
        assert_eq!(counts, infos.iter().map(|p| p.count()).collect::<Vec<_>>());
        assert_eq!(counts.iter().sum::<usize>() as u64, spec.parameters());
        assert_eq!(m.to_flat(), m.params().concat());
        let positions = if spec.order == Order::Table { spec.context } else { 0 };
        let tables = if spec.tied { 1 } else { 2 } * spec.vocab + positions;
        let embeddings = (tables * spec.width) as u64;
        assert_eq!(spec.parameters() - embeddings, spec.parameters_non_embedding());
    }
}

#[test]
fn recomputed_blocks_give_the_same_bytes() {
    for spec in every() {
        for path in [Path::Fused, Path::Bf16, Path::Composed] {
            let m = model(&spec, 6).with_path(path);
            let b = batch(&spec, 3, 33, true, 7);
            let n = b.counted() as f64;
            let (kept, again) = (step(&m, &b, n), step(&m.clone().with_recompute(true), &b, n));
            assert_eq!(kept.0, again.0);
            assert!(kept.1 == again.1, "{path:?}");
        }
    }
}
