//! Removing hidden units: exact sizes, the same function where nothing that counts goes, masks that are learned.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
#![cfg(feature = "kernels")]

mod common;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{Stand, content, documents, spec, stage};
use llmp_nn::{Cpu, Grads, MicroBatch, Model};
use llmp_stdlib::Event;
use llmp_train::kinds::prune::SoftTopK;
use llmp_train::mask::{Mask, soft_top_k, soft_top_k_slope};
use llmp_train::prune::{cut, largest};
use llmp_train::training::{Inputs, NextToken, Overlay, Summary, train_under};
use llmp_train::{Host, TrainError};

/// Mean loss over the documents of the tests.
fn loss(stand: &Stand, model: &Model) -> f64 {
    let vocabulary = stand.vocabulary();
    let (mut nll, mut n) = (0.0, 0);
    for text in documents(1) {
        let mut ids = vec![common::END];
        ids.extend(vocabulary.encode(text).unwrap());
        ids.truncate(33);
        let sums = model.loss(&MicroBatch::document(&ids)).unwrap();
        (nll, n) = (nll + sums.nll_sum, n + sums.targets);
    }
    nll / n as f64
}

#[test]
fn a_unit_without_weights_goes_and_nothing_changes() {
    let stand = Stand::new();
    let model = Model::init(spec(), 3).unwrap();
    let (sizes, mut flat) = (model.spec().clone(), model.to_flat());
    let mut rest = flat.as_mut_slice();
    for info in sizes.params() {
        let (values, tail) = rest.split_at_mut(info.count());
        rest = tail;
        if info.name.ends_with("ffn.down") {
            values.chunks_exact_mut(64).for_each(|row| (row[5], row[40]) = (0.0, 0.0));
        }
    }
    let units = largest(&sizes, &flat, 62).unwrap();
    assert!(units.iter().all(|u| u.len() == 62 && !u.contains(&5) && !u.contains(&40)), "{units:?}");
    let (smaller, values) = cut(&sizes, &flat, &units).unwrap();
    assert_eq!((smaller.ffn.hidden, smaller.parameters()), (62, values.len() as u64));
    assert_eq!(sizes.parameters() - smaller.parameters(), 2 * 2 * 3 * 32);
    let whole = Model::from_flat(Cpu::default(), sizes.clone(), &flat).unwrap();
    let left = Model::from_flat(Cpu::default(), smaller, &values).unwrap();
    assert!((loss(&stand, &whole) - loss(&stand, &left)).abs() < 1e-5);
    assert!(cut(&sizes, &flat, &[vec![0]]).is_err() && largest(&sizes, &flat, 65).is_err());
}

/// Scores without order.
fn scores(n: usize) -> Vec<f64> {
    (0..n).map(|i| ((i * 7919 + 13) % 1009) as f64 / 300.0 - 1.7).collect()
}

/// The published iteration: `a` from all scores, each then held down to what a mask of 1 needs.
fn iterated(scores: &[f64], k: usize, t: f64, passes: usize) -> Vec<f64> {
    let (mut b, mut a) = (vec![0.0f64; scores.len()], 0.0);
    for _ in 0..passes {
        let largest = scores.iter().zip(&b).map(|(s, b)| s + b).fold(f64::MIN, f64::max);
        let sum: f64 = scores.iter().zip(&b).map(|(s, b)| ((s + b - largest) / t).exp()).sum();
        a = t * (k as f64).ln() - t * sum.ln() - largest;
        b.iter_mut().zip(scores).for_each(|(b, s)| *b = (-s - a).min(0.0));
    }
    scores.iter().zip(&b).map(|(s, b)| ((s + b + a) / t).exp()).collect()
}

#[test]
fn masks_sum_to_what_is_kept_and_are_where_the_iteration_ends() {
    let scores = scores(40);
    for (k, t) in [(1, 1.0), (10, 1.0), (25, 0.5), (39, 0.3), (17, 3.0)] {
        let mask = soft_top_k(&scores, k, t);
        assert!((mask.iter().sum::<f64>() - k as f64).abs() < 1e-9 && mask.iter().all(|m| *m <= 1.0));
        let far = iterated(&scores, k, t, 20_000);
        assert!(mask.iter().zip(&far).all(|(a, b)| (a - b).abs() < 1e-6), "k = {k}, t = {t}");
        let order = |i: usize, j: usize| scores[i] <= scores[j] || mask[i] >= mask[j];
        assert!((0..40).all(|i| (0..40).all(|j| order(i, j))));
    }
    assert_eq!(soft_top_k(&scores, 40, 1.0), [1.0; 40]);
}

#[test]
fn a_cold_mask_is_the_hard_choice() {
    let scores = scores(40);
    for (k, t) in [(1, 1e-4), (20, 1e-4), (39, 1e-5), (20, 1e-9)] {
        let mask = soft_top_k(&scores, k, t);
        assert!((mask.iter().sum::<f64>() - k as f64).abs() < 1e-9);
        for (i, m) in mask.iter().enumerate() {
            let above = scores.iter().filter(|s| **s > scores[i]).count();
            assert!((m - if above < k { 1.0 } else { 0.0 }).abs() < 1e-6, "unit {i} of k = {k}: {m}");
        }
    }
}

#[test]
fn the_slope_of_a_mask_is_that_of_differences() {
    let scores = scores(12);
    let weights: Vec<f64> = (0..12).map(|i| (i as f64 * 1.7).sin()).collect();
    let value = |scores: &[f64], k, t| -> f64 {
        soft_top_k(scores, k, t).iter().zip(&weights).map(|(m, w)| m * w + 0.5 * m * m).sum()
    };
    for (k, t) in [(3, 1.0), (7, 0.4), (11, 2.0)] {
        let mask = soft_top_k(&scores, k, t);
        let by_mask: Vec<f64> = mask.iter().zip(&weights).map(|(m, w)| w + m).collect();
        let slopes = soft_top_k_slope(&mask, &by_mask, t);
        assert!(slopes.iter().any(|s| s.abs() > 1e-3));
        for i in 0..12 {
            let shifted = |by: f64| {
                let mut moved = scores.clone();
                moved[i] += by;
                value(&moved, k, t)
            };
            let difference = (shifted(1e-6) - shifted(-1e-6)) / 2e-6;
            assert!((slopes[i] - difference).abs() < 1e-7, "{i}: {} is not {difference}", slopes[i]);
        }
    }
}

const SOFT: SoftTopK = SoftTopK { temperature: 1.0, last: 0.01, rate: 10.0 };

fn pruned(stand: &Stand, from: &Path, name: &str, host: &Host<'_>) -> Result<Summary, TrainError> {
    let tokenizer = stand.path("tokenizer.json");
    let shards = vec![stand.shard("left", &documents(1)), stand.shard("right", &documents(2))];
    let inputs =
        Inputs { shards, examples: None, tokenizer: &tokenizer, from: Some(from), held_out: Vec::new() };
    let mask = Mask::new(&spec(), SOFT, 24)?;
    train_under(&stage(), &mut NextToken, Some(Box::new(mask)), inputs, &stand.path(name), host)
}

#[test]
fn gradients_under_a_mask_are_those_of_differences() {
    let mut model = Model::init(spec(), 5).unwrap();
    let mask = Mask::new(&spec(), SOFT, 24).unwrap();
    let numbers = mask.begin(&model.params());
    let ids: Vec<u32> = (0..30).map(|i| (i * 37 + 5) % 250).collect();
    let batch = MicroBatch::document(&ids);
    let plain = model.to_flat();
    let loss = |numbers: &[f32], flat: &[f32]| -> f64 {
        let mut model = Model::from_flat(Cpu::default(), spec(), flat).unwrap();
        mask.lay(numbers, 0.2, &mut model.params_mut()).unwrap();
        model.loss(&batch).unwrap().nll_sum / 29.0
    };
    mask.lay(&numbers, 0.2, &mut model.params_mut()).unwrap();
    let mut grads = Grads::zeros(model.spec());
    model.loss_and_grads(&batch, 29.0, &mut grads).unwrap();
    model.set_flat(&plain).unwrap();
    let own = mask.pull(&numbers, 0.2, &model.params(), &mut grads).unwrap();
    // Along the gradient, so that a difference of 32-bit losses says something.
    let size = own.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>();
    let along = |by: f64| {
        let moved: Vec<f32> = numbers
            .iter()
            .zip(&own)
            .map(|(x, g)| (f64::from(*x) + by * f64::from(*g) / size.sqrt()) as f32)
            .collect();
        loss(&moved, &plain)
    };
    let slope = (along(0.05) - along(-0.05)) / 0.1;
    assert!((slope / size.sqrt() - 1.0).abs() < 0.02, "{slope} is not {}", size.sqrt());
    let size = grads.flat().iter().map(|g| f64::from(*g).powi(2)).sum::<f64>();
    let along = |by: f64| {
        let moved: Vec<f32> =
            plain.iter().zip(grads.flat()).map(|(x, g)| x + (by / size.sqrt()) as f32 * g).collect();
        loss(&numbers, &moved)
    };
    let slope = (along(0.01) - along(-0.01)) / 0.02;
    assert!((slope / size.sqrt() - 1.0).abs() < 0.02, "{slope} is not {}", size.sqrt());
}

#[test]
fn a_pruned_model_is_the_masked_one() {
    let model = Model::init(spec(), 5).unwrap();
    let mask = Mask::new(&spec(), SoftTopK { last: 1e-7, ..SOFT }, 24).unwrap();
    let numbers = mask.begin(&model.params());
    let (sizes, flat) = mask.finish(&numbers, &model).unwrap();
    assert_eq!(sizes.ffn.hidden, 24);
    let left = Model::from_flat(Cpu::default(), sizes, &flat).unwrap();
    let mut masked = model.clone();
    mask.lay(&numbers, 1.0, &mut masked.params_mut()).unwrap();
    let ids: Vec<u32> = (0..30).map(|i| (i * 91 + 5) % 250).collect();
    let logits = |model: &Model| llmp_nn::Decoder::new(model).prefill(&ids).unwrap();
    let apart = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let (ours, theirs) = (logits(&left), logits(&masked));
    assert!(apart(&ours, &theirs) < 1e-5 && apart(&ours, &logits(&model)) > 1e-3);
    assert!(Mask::new(&spec(), SOFT, 65).is_err());
}

#[test]
fn masks_learn_resume_to_the_same_bytes_and_leave_a_smaller_model() {
    let stand = Stand::new();
    let mut long = stage();
    long.goal = llmp_train::budget::Goal::Steps(60);
    stand.run(&long, "parent", &Host::quiet()).unwrap();
    let parent = stand.path("parent");
    pruned(&stand, &parent, "whole", &Host::quiet()).unwrap();
    let stop = AtomicBool::new(false);
    let event = |event: Event| {
        if matches!(event, Event::Loss { at: 5, .. }) {
            stop.store(true, Ordering::Relaxed);
        }
    };
    let host = Host { stop: &stop, event: &event, ..Host::quiet() };
    assert!(matches!(pruned(&stand, &parent, "cut", &host), Err(TrainError::Stopped)));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(|| pruned(&stand, &parent, "cut", &Host::quiet())).unwrap();
    assert!(content(&stand.path("whole")) == content(&stand.path("cut")), "another result after a stop");
    let left = Model::load(&stand.path("whole")).unwrap();
    assert_eq!(left.spec().ffn.hidden, 24);
    let before = Model::load(&parent).unwrap();
    let cut_off = {
        let units = largest(before.spec(), &before.to_flat(), 24).unwrap();
        let (sizes, flat) = cut(before.spec(), &before.to_flat(), &units).unwrap();
        Model::from_flat(Cpu::default(), sizes, &flat).unwrap()
    };
    assert!(loss(&stand, &left) < loss(&stand, &cut_off), "training under masks wins nothing");
}
