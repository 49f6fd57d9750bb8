//! Batches that a student writes: what it is prompted with, what counts, and that nothing depends on a row's neighbours.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
#![cfg(feature = "kernels")]

mod common;

use common::{END, Stand, spec, stage};
use llmp_nn::{Architecture, IGNORE, MicroBatch, Model};
use llmp_train::distill::Distil;
use llmp_train::kinds::distill::{DistillLoss, Divergence, OnPolicy};
use llmp_train::training::{Batch, Objective};

/// A student that often writes the end-of-text token.
fn model() -> Model {
    Model::init(Architecture { vocab: 257, init_std: 0.2, ..spec() }, 3).unwrap()
}

fn stream(micros: Vec<MicroBatch>) -> Batch {
    Batch { micros, placed: Vec::new() }
}

fn written(
    stand: &Stand,
    (prompt, student_share): (Option<f64>, f64),
    batches: Vec<MicroBatch>,
    step: u64,
) -> Vec<MicroBatch> {
    let divergence = Divergence::Reverse;
    let how = OnPolicy { divergence, student_share, temperature: 1.0, prompt };
    let tokenizer = stand.path("tokenizer.json");
    let mut distil = Distil::new(&stage(), DistillLoss::OnPolicy(how), &[], (&tokenizer, &[])).unwrap();
    distil.prepare(&model(), stream(batches), step).unwrap().micros
}

/// Rows `END 1 2 3 END 4 5 END 6 …`: two documents that end, one that does not.
fn rows(count: usize) -> MicroBatch {
    let tokens = [END, 1, 2, 3, END, 4, 5, END, 6, 7, 8, 9, 10, 11, 12, 13, 14];
    let starts = [0, 0, 0, 0, 4, 4, 4, 7, 7, 7, 7, 7, 7, 7, 7, 7];
    MicroBatch {
        rows: count,
        length: 16,
        inputs: tokens[..16].repeat(count),
        targets: tokens[1..].repeat(count),
        doc_start: starts.repeat(count),
    }
}

/// Inputs, targets and document starts of every row.
fn each(batches: &[MicroBatch]) -> Vec<(Vec<u32>, Vec<u32>, Vec<u32>)> {
    let row = |b: &MicroBatch, at: usize| {
        let of = |all: &[u32]| all[at * b.length..][..b.length].to_vec();
        (of(&b.inputs), of(&b.targets), of(&b.doc_start))
    };
    batches.iter().flat_map(|b| (0..b.rows).map(move |at| row(b, at))).collect()
}

#[test]
fn whole_documents_prompt_a_row_each() {
    let stand = Stand::new();
    let made = written(&stand, (None, 1.0), vec![rows(3)], 4);
    assert_eq!(made.iter().map(|b| b.rows).collect::<Vec<_>>(), [3, 3]);
    for (number, (inputs, targets, _)) in each(&made).into_iter().enumerate() {
        let prompt: &[u32] = if number % 2 == 0 { &[END, 1, 2, 3] } else { &[END, 4, 5] };
        assert_eq!(&inputs[..prompt.len()], prompt);
        assert!(targets[..prompt.len() - 1].iter().all(|t| *t == IGNORE));
        let own: Vec<u32> =
            targets[prompt.len() - 1..].iter().copied().take_while(|t| *t != IGNORE).collect();
        assert!(!own.is_empty() && inputs[prompt.len()..].iter().zip(&own).all(|(a, b)| a == b));
        let over = own.iter().position(|t| *t == END);
        assert!(over.is_none_or(|at| at + 1 == own.len()), "it writes past its end: {own:?}");
    }
    made.iter().for_each(|b| b.validate(model().spec(), "test").unwrap());
    // A row without a whole document prompts nothing.
    let none = MicroBatch { inputs: vec![7; 16], targets: vec![7; 16], doc_start: vec![0; 16], ..rows(1) };
    let how = OnPolicy { divergence: Divergence::Jsd, student_share: 1.0, temperature: 1.0, prompt: None };
    let tokenizer = stand.path("tokenizer.json");
    let mut distil = Distil::new(&stage(), DistillLoss::OnPolicy(how), &[], (&tokenizer, &[])).unwrap();
    let error = distil.prepare(&model(), stream(vec![none]), 0).unwrap_err().to_string();
    assert!(error.contains("nothing prompts the student"), "{error}");
}

#[test]
fn a_row_is_written_on_and_nothing_depends_on_its_neighbours() {
    let stand = Stand::new();
    let of = |count: usize, share: f64| {
        let parts = if count == 1 { vec![rows(1); 4] } else { vec![rows(4)] };
        each(&written(&stand, (Some(0.5), share), parts, 9))
    };
    let all = of(4, 1.0);
    assert_eq!(all, of(1, 1.0), "one at a time or together");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(all, pool.install(|| of(4, 1.0)));
    for (inputs, targets, starts) in &all {
        assert_eq!(inputs[..8], rows(1).inputs[..8]);
        assert!(targets[..7].iter().all(|t| *t == IGNORE) && targets[7..].iter().all(|t| *t != IGNORE));
        assert_eq!(inputs[8..], targets[7..15]);
        for at in 8..16 {
            let start = if inputs[at] == END { at as u32 } else { starts[at - 1] };
            assert_eq!(starts[at], start);
        }
    }
    assert!(all[0] != all[1], "every row has a stream of its own");
    let data = each(&[rows(1)]);
    assert_eq!(of(4, 0.0), [data.clone(), data.clone(), data.clone(), data.clone()].concat());
    let from_data = |step| {
        let made = each(&written(&stand, (Some(0.5), 0.5), vec![rows(4)], step));
        made.into_iter().filter(|row| *row == data[0]).count()
    };
    let count: usize = (0..40).map(from_data).sum();
    assert!((55..105).contains(&count), "{count} of 160 rows come from the data, not half");
}
