//! Stages on examples: packed and one by one, in parts, resumed, on one thread; pairs and prompts as an objective sees them.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
#![cfg(feature = "kernels")]

mod common;

use std::sync::atomic::{AtomicBool, Ordering};

use common::{END, Stand, content, spec, stage};
use llmp_nn::{Architecture, Cpu, Grads, IGNORE, Model};
use llmp_stdlib::Event;
use llmp_stdlib::arg::BatchSize;
use llmp_train::budget::Goal;
use llmp_train::course::{Batch as Size, Context};
use llmp_train::settings::Accumulate;
use llmp_train::stage::Stage;
use llmp_train::training::{
    Batch, Example, ExampleSource, Examples, Inputs, Layout, Micro, NextToken, Objective, Sequence, Summary,
    Sums, micro_batch, train_for,
};
use llmp_train::{Host, TrainError};

/// Questions and answers as bytes; the answers count.
fn conversations() -> Vec<Example> {
    let pairs = [
        ("2+2?", "4"),
        ("the sky?", "blue, most of the day"),
        ("a cat?", "meow"),
        ("rain?", "wet"),
        ("sun?", "dry"),
        ("north?", "cold"),
        ("3+4?", "7"),
        ("a dog?", "woof woof"),
        ("who?", "me"),
        ("why?", "so"),
        ("1+1?", "2"),
    ];
    let example = |(asked, said): (&str, &str)| {
        let mut ids: Vec<u32> = format!("Q{asked}A{said}").bytes().map(u32::from).collect();
        ids.push(END);
        let from = asked.len() + 2;
        vec![Sequence { counted: std::iter::once(from..ids.len()).collect(), ids }]
    };
    pairs.map(example).into()
}

fn source(examples: Vec<Example>) -> ExampleSource {
    ExampleSource { name: "chats".into(), share: 1.0, max_epochs: None, examples }
}

fn examples(layout: Layout) -> Examples {
    Examples {
        sources: vec![source(conversations())],
        layout,
        held_out: vec![("chats".into(), conversations())],
    }
}

fn tuned() -> Stage {
    Stage {
        sources: Vec::new(),
        goal: Goal::Steps(8),
        context: Context::Fixed(32),
        batch: Some(Size::Fixed(BatchSize::Sequences(4))),
        accumulate: Accumulate::Auto,
        evaluate: Some(stage().checkpoints),
        ..stage()
    }
}

/// A stand with a model to go on from.
fn stand() -> Stand {
    let stand = Stand::new();
    let options = llmp_nn::SaveOptions::default();
    Model::init(spec(), 3).unwrap().save(&stand.path("base"), &options).unwrap();
    stand
}

fn run(
    stand: &Stand,
    stage: &Stage,
    examples: Examples,
    objective: &mut dyn Objective,
    name: &str,
    host: &Host<'_>,
) -> Result<Summary, TrainError> {
    let (tokenizer, base) = (stand.path("tokenizer.json"), stand.path("base"));
    let inputs = Inputs {
        shards: Vec::new(),
        examples: Some(examples),
        tokenizer: &tokenizer,
        from: Some(&base),
        held_out: Vec::new(),
    };
    train_for(stage, objective, inputs, &stand.path(name), host)
}

fn lines(stand: &Stand, name: &str) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(stand.path(name).join("metrics.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn near(a: f64, b: f64, most: f64) {
    assert!((a - b).abs() <= most * a.abs().max(1e-9), "{a} and {b}");
}

#[test]
fn packed_rows_give_the_loss_of_rows_of_their_own() {
    let model = Model::init(Architecture { context: 96, ..spec() }, 5).unwrap();
    let all = conversations();
    let sequences: Vec<&Sequence> = all.iter().flatten().take(6).collect();
    let one = |n: usize| (n, 0, sequences[n]);
    let (alone, placed) = micro_batch(&(0..6).map(|n| vec![one(n)]).collect::<Vec<_>>());
    assert_eq!(
        placed.iter().map(|p| (p.example, p.row)).collect::<Vec<_>>(),
        (0..6).map(|n| (n, n)).collect::<Vec<_>>()
    );
    let (packed, placed) = micro_batch(&[vec![one(0), one(1)], vec![one(2), one(3), one(4), one(5)]]);
    assert_eq!(placed[1].at, sequences[0].positions()..sequences[0].positions() + sequences[1].positions());
    assert_eq!(alone.counted(), packed.counted());
    let (mut a, mut b) = (Grads::zeros(model.spec()), Grads::zeros(model.spec()));
    let counted = alone.counted() as f64;
    let first = model.loss_and_grads(&alone, counted, &mut a).unwrap().nll_sum;
    let second = model.loss_and_grads(&packed, counted, &mut b).unwrap().nll_sum;
    near(first, second, 1e-6);
    let norm: f64 = a.flat().iter().map(|x| f64::from(*x).powi(2)).sum();
    let apart: f64 = a.flat().iter().zip(b.flat()).map(|(x, y)| f64::from(x - y).powi(2)).sum();
    assert!(apart.sqrt() < 1e-5 * norm.sqrt(), "{apart} of {norm}");
}

/// What `tests/python/sft_step.py` writes.
#[derive(serde::Deserialize)]
struct Golden {
    examples: Vec<GoldenExample>,
    loss: f64,
    norm: f64,
    grads: std::collections::BTreeMap<String, Vec<f64>>,
}

#[derive(serde::Deserialize)]
struct GoldenExample {
    ids: Vec<u32>,
    counted: Vec<(usize, usize)>,
}

/// Sine waves, as the golden has them.
fn waves(spec: &Architecture) -> Vec<f32> {
    let wave = |(index, info): (usize, &llmp_nn::ParamInfo)| {
        let flat = info.shape.len() == 1;
        let wave = (0..info.count()).map(move |i| (0.37 * i as f64 + index as f64).sin());
        wave.map(move |x| if flat { 1.0 + 0.1 * x } else { 0.15 * x } as f32).collect::<Vec<f32>>()
    };
    spec.params().iter().enumerate().flat_map(wave).collect()
}

#[test]
fn loss_and_gradients_are_those_of_trl_padded_and_packed() {
    let golden: Golden = serde_json::from_str(include_str!("golden/sft_step.json")).unwrap();
    let spec = Architecture { context: 96, ..spec() };
    let model = Model::from_flat(Cpu::default(), spec.clone(), &waves(&spec)).unwrap();
    let sequence = |e: GoldenExample| Sequence {
        ids: e.ids,
        counted: e.counted.into_iter().map(|(a, b)| a..b).collect(),
    };
    let sequences: Vec<Sequence> = golden.examples.into_iter().map(sequence).collect();
    let row = |n: usize| (n, 0, &sequences[n]);
    let alone = |from: usize, to: usize| micro_batch(&(from..to).map(|n| vec![row(n)]).collect::<Vec<_>>()).0;
    let packed = micro_batch(&[(0..5).map(row).collect()]).0;
    for batches in [vec![alone(0, 3), alone(3, 5)], vec![packed]] {
        let counted = batches.iter().map(|b| b.counted() as f64).sum::<f64>();
        let mut grads = Grads::zeros(&spec);
        let parts = batches.iter().map(|b| model.loss_and_grads(b, counted, &mut grads).unwrap().nll_sum);
        near(golden.loss, parts.sum::<f64>() / counted, 1e-5);
        near(golden.norm, llmp_nn::optim::global_norm(grads.flat()), 1e-4);
        for (at, info) in spec.params().iter().enumerate() {
            let (own, want) = (grads.get(at), &golden.grads[&info.name]);
            let step = (own.len() / 8).max(1);
            let largest = want.iter().fold(0.0f64, |most, x| most.max(x.abs()));
            for (value, want) in own.iter().step_by(step).zip(want) {
                assert!(
                    (f64::from(*value) - want).abs() < 1e-4 * largest,
                    "{}: {value}, TRL has {want}",
                    info.name
                );
            }
        }
    }
}

#[test]
fn masked_tokens_and_padding_change_nothing() {
    let model = Model::init(spec(), 5).unwrap();
    let all = conversations();
    let (batch, placed) = micro_batch(&[vec![(0, 0, &all[1][0])], vec![(1, 0, &all[0][0])]]);
    assert_eq!((batch.rows, batch.length), (2, all[1][0].positions()));
    assert_eq!(batch.counted() as usize, all[0][0].targets() + all[1][0].targets());
    let mut other = batch.clone();
    other.inputs[batch.length + placed[1].at.end..].fill(77);
    assert_eq!(model.loss(&batch).unwrap().nll_sum, model.loss(&other).unwrap().nll_sum);
    assert!(batch.targets[batch.length + placed[1].at.end..].iter().all(|target| *target == IGNORE));
}

#[test]
fn four_parts_of_two_are_one_of_eight() {
    let stand = stand();
    for (name, parts) in [("one", 1), ("four", 4)] {
        let batch = Some(Size::Fixed(BatchSize::Sequences(8)));
        let stage = Stage { accumulate: Accumulate::Parts(parts), batch, ..tuned() };
        run(&stand, &stage, examples(Layout::Rows), &mut NextToken, name, &Host::quiet()).unwrap();
    }
    for (a, b) in lines(&stand, "one").iter().zip(lines(&stand, "four")) {
        near(a["loss"].as_f64().unwrap(), b["loss"].as_f64().unwrap(), 1e-5);
        near(a["norm"].as_f64().unwrap(), b["norm"].as_f64().unwrap(), 1e-4);
    }
}

#[test]
fn a_stage_learns_and_is_measured_on_what_is_held_out() {
    let stand = stand();
    let summary =
        run(&stand, &tuned(), examples(Layout::Packed), &mut NextToken, "tuned", &Host::quiet()).unwrap();
    assert_eq!(summary.steps, 8);
    let looks: Vec<f64> =
        lines(&stand, "tuned").iter().filter_map(|l| l["evaluation"]["chats_loss"].as_f64()).collect();
    assert_eq!(looks.len(), 3, "at steps 3, 6 and 8");
    assert!(looks[2] < looks[0], "{looks:?}");
    assert_eq!(lines(&stand, "tuned").last().unwrap()["tokens"], summary.tokens);
    assert_eq!(summary.drawn, [summary.tokens]);
}

#[test]
fn after_a_stop_and_on_one_thread_the_result_is_the_same() {
    for layout in [Layout::Packed, Layout::Rows] {
        let stand = stand();
        run(&stand, &tuned(), examples(layout), &mut NextToken, "whole", &Host::quiet()).unwrap();
        let stop = AtomicBool::new(false);
        let event = |event: Event| {
            if matches!(event, Event::Loss { at: 5, .. }) {
                stop.store(true, Ordering::Relaxed);
            }
        };
        let host = Host { stop: &stop, event: &event, ..Host::quiet() };
        let stopped = run(&stand, &tuned(), examples(layout), &mut NextToken, "cut", &host);
        assert!(matches!(stopped, Err(TrainError::Stopped)));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        pool.install(|| run(&stand, &tuned(), examples(layout), &mut NextToken, "cut", &Host::quiet()))
            .unwrap();
        assert!(content(&stand.path("whole")) == content(&stand.path("cut")), "{layout:?}");
    }
}

/// Notes what it is given, and learns nothing.
#[derive(Default)]
struct Notes {
    batches: Vec<Batch>,
}

impl Objective for Notes {
    fn prepare(&mut self, _: &Model, batch: Batch, _: u64) -> Result<Batch, TrainError> {
        self.batches.push(batch.clone());
        Ok(batch)
    }

    fn counted(&self, _: &Batch) -> f64 {
        1.0
    }

    fn loss_and_grads(&mut self, _: &Model, micro: &Micro<'_>, _: &mut Grads) -> Result<Sums, TrainError> {
        assert_eq!(micro.placed.len(), micro.batch.rows, "a sequence a row");
        Ok(Sums { loss: 1.0, z: 0.0 })
    }
}

/// The examples of every step.
fn noted(stage: &Stage, examples: Examples) -> Result<Vec<Batch>, TrainError> {
    let mut notes = Notes::default();
    run(&stand(), stage, examples, &mut notes, "noted", &Host::quiet())?;
    Ok(notes.batches)
}

fn numbers(batches: &[Batch]) -> Vec<usize> {
    batches
        .iter()
        .flat_map(|b| b.placed.iter().flatten())
        .filter(|p| p.part == 0)
        .map(|p| p.example)
        .collect()
}

#[test]
fn an_epoch_reads_every_example_once_each_in_its_own_order() {
    let stage = Stage { goal: Goal::Epochs(2.0), ..tuned() };
    let rows = || Examples { held_out: Vec::new(), ..examples(Layout::Rows) };
    let all = numbers(&noted(&stage, rows()).unwrap());
    let sorted = |part: &[usize]| {
        let mut part = part.to_vec();
        part.sort_unstable();
        part
    };
    assert_eq!(sorted(&all[..22]), sorted(&(0..22).map(|n| n % 11).collect::<Vec<_>>()));
    assert_ne!(all[..11], all[11..]);
    let other = numbers(&noted(&Stage { seed: 8, ..stage.clone() }, rows()).unwrap());
    assert_ne!(all, other);
    let half = numbers(&noted(&Stage { goal: Goal::Epochs(0.5), ..stage }, rows()).unwrap());
    assert_eq!(half.len(), 6);
}

#[test]
fn both_sequences_of_a_pair_stay_in_one_micro_batch() {
    let pair = |pair: &[Example]| vec![pair[0][0].clone(), pair[1][0].clone()];
    let pairs: Vec<Example> = conversations().windows(2).map(pair).collect();
    let examples = Examples { sources: vec![source(pairs)], layout: Layout::Rows, held_out: Vec::new() };
    let stage = Stage { accumulate: Accumulate::Parts(3), ..tuned() };
    for batch in noted(&stage, examples).unwrap() {
        assert_eq!(batch.placed.iter().flatten().count(), 8, "four pairs");
        for placed in &batch.placed {
            assert_eq!(placed.len() % 2, 0);
            for both in placed.chunks(2) {
                assert_eq!((both[0].example, both[0].part, both[1].part), (both[1].example, 0, 1));
                assert_eq!(both[0].row + 1, both[1].row);
            }
        }
    }
}

/// Makes one row for each prompt.
struct Writes;

impl Objective for Writes {
    fn prepare(&mut self, _: &Model, batch: Batch, _: u64) -> Result<Batch, TrainError> {
        assert!(batch.micros.is_empty());
        let all = conversations();
        let rows: Vec<_> = batch.placed[0].iter().map(|p| vec![(p.example, 0, &all[p.example][0])]).collect();
        let (micro, placed) = micro_batch(&rows);
        Ok(Batch { micros: vec![micro], placed: vec![placed] })
    }

    fn loss_and_grads(
        &mut self,
        model: &Model,
        micro: &Micro<'_>,
        grads: &mut Grads,
    ) -> Result<Sums, TrainError> {
        NextToken.loss_and_grads(model, micro, grads)
    }
}

#[test]
fn an_objective_makes_rows_of_prompts() {
    let prompts = Examples { held_out: Vec::new(), ..examples(Layout::Prompts) };
    let summary = run(&stand(), &tuned(), prompts, &mut Writes, "written", &Host::quiet()).unwrap();
    assert_eq!((summary.steps, summary.epochs.len()), (8, 1));
}

#[test]
fn a_mixture_keeps_its_shares_and_the_most_passes() {
    let short =
        |n: usize| vec![Sequence { ids: vec![n as u32; 5], counted: std::iter::once(0..5).collect() }];
    let part = |share, max_epochs, from: usize, count: usize| ExampleSource {
        name: format!("from {from}"),
        share,
        max_epochs,
        examples: (from..from + count).map(short).collect(),
    };
    let mix = |most| Examples {
        sources: vec![part(0.75, None, 0, 10), part(0.25, most, 100, 2)],
        layout: Layout::Rows,
        held_out: Vec::new(),
    };
    let stage = Stage { goal: Goal::Steps(10), ..tuned() };
    let second = |all: &[usize]| all.iter().filter(|n| **n >= 10).count();
    assert_eq!(second(&numbers(&noted(&stage, mix(None)).unwrap())), 10);
    assert_eq!(second(&numbers(&noted(&stage, mix(Some(2))).unwrap())), 4);
    let ended =
        Examples { sources: vec![part(1.0, Some(2), 0, 10)], layout: Layout::Rows, held_out: Vec::new() };
    assert!(matches!(noted(&stage, ended), Err(TrainError::DataEnded { .. })));
}

#[test]
fn data_without_a_token_that_counts_are_refused() {
    let silent: Vec<Example> = conversations()
        .into_iter()
        .map(|mut e| {
            e[0].counted.clear();
            e
        })
        .collect();
    let only =
        |examples| Examples { sources: vec![source(examples)], layout: Layout::Packed, held_out: Vec::new() };
    let error =
        run(&stand(), &tuned(), only(silent.clone()), &mut NextToken, "x", &Host::quiet()).unwrap_err();
    assert!(error.to_string().contains("every token is masked"), "{error}");
    let mut one = silent;
    one.push(conversations().remove(0));
    let stage = Stage { batch: Some(Size::Fixed(BatchSize::Sequences(1))), ..tuned() };
    let rows = Examples { layout: Layout::Rows, ..only(one) };
    let error = run(&stand(), &stage, rows, &mut NextToken, "x", &Host::quiet()).unwrap_err();
    assert!(error.to_string().contains("every token of the batch is masked"), "{error}");
    let long = vec![vec![Sequence { ids: vec![1; 50], counted: std::iter::once(0..50).collect() }]];
    let error = run(&stand(), &tuned(), only(long), &mut NextToken, "x", &Host::quiet()).unwrap_err();
    assert!(error.to_string().contains("does not fit into 32"), "{error}");
}
