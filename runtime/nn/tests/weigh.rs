//! Log-probabilities and states under a loss of the caller's: fused = composed, finite differences, threads, errors.
#![cfg(feature = "kernels")]

mod common;

use common::{batch, difference, every, model, on_threads, relative, spec, step};
use llmp_nn::{Architecture, Extras, Grads, IGNORE, MicroBatch, Model, NnError, Path};

/// Every family, and one with experts.
fn families() -> Vec<Architecture> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/moe");
    let experts = Model::load(&folder).expect("the golden model").spec().clone();
    [every(), vec![experts]].concat()
}

/// A slope for every number, 0 for some.
fn slopes(n: usize) -> Vec<f32> {
    (0..n).map(|i| if i % 4 == 1 { 0.0 } else { (i * 7 % 11) as f32 / 10.0 - 0.6 }).collect()
}

fn weighed(model: &Model, batch: &MicroBatch) -> (Vec<f32>, Grads) {
    let (mut grads, mut seen) = (Grads::zeros(model.spec()), Vec::new());
    let mut weigh = |given: &[f32]| {
        seen = given.to_vec();
        Ok(slopes(given.len()))
    };
    model.weigh_and_grads(batch, Extras::default(), &mut weigh, &mut grads).expect("a valid batch");
    (seen, grads)
}

fn stated(model: &Model, batch: &MicroBatch, at: &[usize]) -> (Vec<f32>, Grads) {
    let (mut grads, mut seen) = (Grads::zeros(model.spec()), Vec::new());
    let mut back = |given: &[f32]| {
        seen = given.to_vec();
        Ok(slopes(given.len()))
    };
    model.states_and_grads(batch, Extras::default(), at, &mut back, &mut grads).expect("a valid batch");
    (seen, grads)
}

#[test]
fn fused_equals_composed() {
    for (i, spec) in families().into_iter().enumerate() {
        for (rows, length, documents) in [(1, 7, false), (2, 30, true), (3, 28, true)] {
            let fused = model(&spec, 3 + i as u64);
            let composed = fused.clone().with_path(Path::Composed);
            let b = batch(&spec, rows, length, documents, 11);
            let ((a, g), (c, h)) = (weighed(&fused, &b), weighed(&composed, &b));
            assert!(difference(&a, &c) < 1e-5 && relative(&g, &h) < 3e-5, "spec {i}, {rows} x {length}");
            assert_eq!(fused.log_probs(&b).expect("valid"), a, "with and without a tape");
            let masked = b.targets.iter().zip(&a).filter(|(t, _)| **t == IGNORE);
            assert!(masked.clone().all(|(_, p)| *p == 0.0) && (masked.count() > 0) == documents);

            let at = [0, length - 1, rows * length - 1, length - 1];
            let ((a, g), (c, h)) = (stated(&fused, &b, &at), stated(&composed, &b, &at));
            let (d, r) = (difference(&a, &c), relative(&g, &h));
            assert!(d < 1e-5 && r < 1e-4, "spec {i}, {rows} x {length}: states {d:e}, gradients {r:e}");
            assert_eq!(fused.states_at(&b, &at).expect("valid"), a, "with and without a tape");
            let (all, width) = (fused.states(&b).expect("valid"), spec.width);
            assert_eq!(a[width..2 * width], all[(length - 1) * width..][..width]);
        }
    }
}

/// The slope along the gradient of every parameter is its norm.
fn is_slope(base: &Model, grads: &Grads, loss: &dyn Fn(&Model) -> f64) {
    for (i, info) in base.spec().params().iter().enumerate() {
        let g = grads.get(i);
        let norm = g.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        if norm < 1e-4 {
            continue; // a head that takes no part; a bias of keys without turns
        }
        let at = |h: f64| {
            let mut moved = base.clone();
            for (p, &g) in moved.params_mut()[i].iter_mut().zip(g) {
                *p += (h * f64::from(g) / norm) as f32;
            }
            loss(&moved)
        };
        let slope = |h: f64| (at(h) - at(-h)) / (2.0 * h);
        let found = (4.0 * slope(4e-3) - slope(8e-3)) / 3.0;
        assert!((found - norm).abs() < 4e-3 * norm + 2e-3, "{}: slope {found}, gradient {norm}", info.name);
    }
}

fn along(given: &[f32]) -> f64 {
    given.iter().zip(slopes(given.len())).map(|(a, b)| f64::from(*a) * f64::from(b)).sum()
}

#[test]
fn gradients_are_finite_differences() {
    for spec in &every() {
        let base = model(spec, 5);
        let b = batch(spec, 2, 23, true, 6);
        let (_, grads) = weighed(&base, &b);
        is_slope(&base, &grads, &|m| along(&m.log_probs(&b).expect("valid")));
        let at = [3, 22, 40];
        let (_, grads) = stated(&base, &b, &at);
        is_slope(&base, &grads, &|m| along(&m.states_at(&b, &at).expect("valid")));
        if !spec.tied {
            let head = spec.params().iter().position(|p| p.name == "head").expect("a head");
            assert!(grads.get(head).iter().all(|g| *g == 0.0), "the head takes no part in the states");
        }
    }
}

#[test]
fn equal_slopes_give_the_loss_of_the_next_token() {
    for spec in families() {
        let m = model(&spec, 8);
        let b = batch(&spec, 2, 31, true, 3);
        let n = b.counted() as f64;
        let (sums, want) = step(&m, &b, n);
        let mut grads = Grads::zeros(&spec);
        let mut sum = 0.0;
        let mut weigh = |given: &[f32]| {
            sum -= given.iter().map(|x| f64::from(*x)).sum::<f64>();
            Ok(vec![(-1.0 / n) as f32; given.len()])
        };
        m.weigh_and_grads(&b, Extras::default(), &mut weigh, &mut grads).expect("a valid batch");
        assert!((sum / sums.nll_sum - 1.0).abs() < 1e-6, "{sum} {}", sums.nll_sum);
        assert!(relative(&grads, &want) < 1e-5);
    }
}

#[test]
fn log_probabilities_are_those_of_decoding() {
    let m = model(&spec(), 2);
    let ids: Vec<u32> = (0..40).map(|i| i * 17 % 61).collect();
    let said = m.log_probs(&MicroBatch::document(&ids)).expect("valid");
    assert!(difference(&said, &m.token_logprobs(&ids).expect("valid")) < 1e-5);
}

#[test]
fn bytes_do_not_depend_on_threads_and_recomputing_changes_none() {
    for spec in [Architecture { vocab: 9001, width: 96, head_dim: 24, ..spec() }, common::gemma()] {
        for path in [Path::Fused, Path::Bf16] {
            let m = model(&spec, 10).with_path(path);
            let b = batch(&spec, 5, 250, true, 5);
            let run = |threads| on_threads(threads, || (weighed(&m, &b), stated(&m, &b, &[5, 700])));
            let one = run(1);
            assert!(one == run(2) && one == run(3), "{path:?}");
            let again = m.clone().with_recompute(true);
            assert!(one == (weighed(&again, &b), stated(&again, &b, &[5, 700])), "{path:?}");
        }
    }
}

#[test]
fn bad_calls_are_errors() {
    let m = model(&spec(), 1);
    let b = batch(&spec(), 1, 4, false, 1);
    let mut grads = Grads::zeros(&spec());
    let plain = Extras::default();
    let short = m.weigh_and_grads(&b, plain, &mut |_| Ok(vec![1.0]), &mut grads).expect_err("one slope");
    assert!(short.to_string().contains("the list of slopes has 1, the pass has 4"), "{short}");
    let refused = |_: &[f32]| Err(NnError::Input { op: "loss", reason: "no pairs".into() });
    let text = m.weigh_and_grads(&b, plain, &mut { refused }, &mut grads).expect_err("refused").to_string();
    assert_eq!(text, "loss: no pairs");
    let z_loss = Extras { z_loss: 0.1, ..plain };
    assert!(m.weigh_and_grads(&b, z_loss, &mut |x| Ok(x.to_vec()), &mut grads).is_err());
    let beyond = m.states_and_grads(&b, plain, &[4], &mut |x| Ok(x.to_vec()), &mut grads);
    assert!(beyond.expect_err("beyond").to_string().contains("position 4 of a batch that has 4"));
    assert!(m.states_at(&b, &[9]).is_err());
    let empty = MicroBatch { rows: 0, length: 4, ..MicroBatch::default() };
    m.weigh_and_grads(&empty, plain, &mut |_| Ok(Vec::new()), &mut grads).expect("nothing to do");
    assert!(m.log_probs(&empty).expect("nothing").is_empty());
    assert!(grads.flat().iter().all(|g| *g == 0.0), "what fails adds nothing");
}
