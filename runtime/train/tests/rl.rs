//! Learning from rewards: a tiny policy learns what a verifier asks for, by every update; resumed, on one thread, under an adapter.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
#![cfg(feature = "kernels")]

mod common;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{Stand, content, spec, stage};
use llmp_data::row::Message;
use llmp_data::templates::{Known, Template};
use llmp_nn::{Layers, Model};
use llmp_stdlib::Event;
use llmp_stdlib::arg::{BatchSize, Length};
use llmp_train::adapter::Adapter;
use llmp_train::budget::Goal;
use llmp_train::chat::Chat;
use llmp_train::course::{Batch, Context};
use llmp_train::kinds::rl::{
    Advantage, Baseline, Clipped, Ends, Group, LeaveOneOut, Mean, MirrorDescent, PolicyGradient, Scale,
    Update,
};
use llmp_train::rl::{Asked, Learning, Opened, Part, Rl, To, open};
use llmp_train::schedules::{Constant, Schedule};
use llmp_train::settings::Accumulate;
use llmp_train::stage::Stage;
use llmp_train::steps::{Number, Verifier};
use llmp_train::training::{
    ExampleSource, Examples, Inputs, Layout, NextToken, Objective, Overlay, Sequence, train_under,
};
use llmp_train::{Host, TrainError};

/// What is asked, and the digit that is right.
const ASKS: [(&str, &str); 2] = [("left?", "3"), ("right?", "7")];

/// Runs on one thread: a model this small gains nothing from more, and waits for them on a busy machine.
fn alone(test: fn()) {
    rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(test);
}

fn chat(stand: &Stand) -> Chat {
    Chat::new(&Template::Known(Known::Plain).jinja(), &stand.vocabulary()).unwrap()
}

fn constant(peak: f64) -> Schedule {
    Schedule::Constant(Constant { peak, warmup: Length::Share(0.0) })
}

fn tuned(steps: u64, batch: u64, rate: f64) -> Stage {
    Stage {
        sources: Vec::new(),
        goal: Goal::Steps(steps),
        context: Context::Fixed(32),
        batch: Some(Batch::Fixed(BatchSize::Sequences(batch))),
        accumulate: Accumulate::Auto,
        schedule: constant(rate),
        ..stage()
    }
}

fn train(
    stand: &Stand,
    stage: &Stage,
    (examples, objective): (Examples, &mut dyn Objective),
    overlay: Option<Box<dyn Overlay>>,
    (from, to): (&str, &str),
    host: &Host<'_>,
) -> Result<(), TrainError> {
    let (tokenizer, from) = (stand.path("tokenizer.json"), stand.path(from));
    let inputs = Inputs {
        shards: Vec::new(),
        examples: Some(examples),
        tokenizer: &tokenizer,
        from: Some(&from),
        held_out: Vec::new(),
    };
    train_under(stage, objective, overlay, inputs, &stand.path(to), host).map(drop)
}

fn source(examples: Vec<Vec<Sequence>>) -> Vec<ExampleSource> {
    vec![ExampleSource { name: "asks".into(), share: 1.0, max_epochs: None, examples }]
}

/// A stand with a model that answers every question with any digit.
fn stand() -> Stand {
    let stand = Stand::new();
    let options = llmp_nn::SaveOptions::default();
    Model::init(spec(), 3).unwrap().save(&stand.path("fresh"), &options).unwrap();
    let chat = chat(&stand);
    let example = |(asked, digit): (&str, usize)| {
        let turns = [Message::new("user", asked), Message::new("assistant", digit.to_string())];
        let rendered = chat.render(&turns).unwrap();
        vec![Sequence { counted: vec![rendered.turns[1].said()], ids: rendered.ids }]
    };
    let all = ASKS.iter().flat_map(|(asked, _)| (0..10).map(|digit| (*asked, digit))).map(example).collect();
    let examples = Examples { sources: source(all), layout: Layout::Rows, held_out: Vec::new() };
    train(&stand, &tuned(60, 20, 1e-2), (examples, &mut NextToken), None, ("fresh", "base"), &Host::quiet())
        .unwrap();
    stand
}

fn settings(advantage: Advantage, update: Update) -> Learning {
    Learning { prompts: Vec::new(), parts: Vec::new(), advantage, update, max_tokens: 4, temperature: 1.0 }
}

/// The objective of a stage on `from` with a verifier and these further parts.
fn objective(stand: &Stand, settings: &Learning, parts: &[Part], stage: &Stage) -> Rl {
    let chat = chat(stand);
    let asked = |(asked, truth): &(&str, &str)| {
        let turns = vec![Message::new("user", *asked)];
        Asked {
            ids: chat.prompt(&turns).unwrap(),
            turns,
            truths: [("truth".to_owned(), (*truth).to_owned())].into(),
        }
    };
    let prompts: Vec<Asked> = ASKS.iter().map(asked).collect();
    let number = Part::Verifier(Verifier::Number(Number { truth: "truth".into(), tolerance: 1e-6 }));
    let folder = |_: usize| -> &'static Path { Path::new("") };
    let all: Vec<Opened> = [number].iter().chain(parts).map(|part| open(part, &folder).unwrap()).collect();
    let own = (chat, stand.vocabulary());
    Rl::new(settings.clone(), (prompts, all), own, stage.stream("answers"), &stand.path("base"), &folder)
        .unwrap()
}

fn examples(rl: &Learning, stand: &Stand) -> Examples {
    let chat = chat(stand);
    let example = |(asked, _): &(&str, &str)| {
        let ids = chat.prompt(&[Message::new("user", *asked)]).unwrap();
        vec![Sequence { ids, counted: Vec::new() }]
    };
    let all = ASKS.iter().map(example).collect();
    Examples { sources: source(all), layout: Layout::Rounds(rl.inner_steps()), held_out: Vec::new() }
}

/// What the lines of `metrics.jsonl` say under a name.
fn told(stand: &Stand, run: &str, name: &str) -> Vec<f64> {
    let text = std::fs::read_to_string(stand.path(run).join("metrics.jsonl")).unwrap();
    let line = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line[name].as_f64().or(line["objective"][name].as_f64())
    };
    text.lines().filter_map(line).collect()
}

fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

fn leave_one_out() -> Advantage {
    Advantage::LeaveOneOut(LeaveOneOut { samples: 16 })
}

fn group() -> Advantage {
    Advantage::Group(Group { samples: 16, scale: Scale::Std, resample: true })
}

fn clipped(inner_steps: u64, kl: f64) -> Update {
    Update::Clipped(Clipped { low: 0.2, high: 0.28, inner_steps, mean: Mean::Token, kl })
}

/// Rounds after which the policy knows.
const ROUNDS: u64 = 48;

#[test]
fn every_update_teaches_which_digit_is_right() {
    alone(every_update);
}

fn every_update() {
    let stand = stand();
    let ways = [
        ("plain", leave_one_out(), Update::PolicyGradient(PolicyGradient {})),
        ("clipped", group(), clipped(2, 0.0)),
        ("mirror", leave_one_out(), Update::MirrorDescent(MirrorDescent { inner_steps: 4, kl: 0.05 })),
        (
            "baseline",
            Advantage::Baseline(Baseline { decay: 0.9, samples: 16 }),
            Update::PolicyGradient(PolicyGradient {}),
        ),
    ];
    for (name, advantage, update) in ways {
        let (stage, settings) = (tuned(ROUNDS, 4, 3e-3), settings(advantage, update));
        let mut rl = objective(&stand, &settings, &[], &stage);
        let work = (examples(&settings, &stand), &mut rl as &mut dyn Objective);
        train(&stand, &stage, work, None, ("base", name), &Host::quiet()).unwrap();
        let rewards = told(&stand, name, "reward");
        assert_eq!(rewards.len(), ROUNDS as usize, "{name}: one a round");
        let (before, after) = (mean(&rewards[..2]), mean(&rewards[rewards.len() - 4..]));
        eprintln!("{name}: {before:.3} to {after:.3}");
        assert!(before < 0.2 && after > 0.75, "{name}: {before} to {after}\n{rewards:?}");
        assert!(mean(&told(&stand, name, "ended")) > 0.9, "{name}");
        let surprise = told(&stand, name, "entropy");
        assert!(
            surprise[0] > 2.0 * surprise[surprise.len() - 1],
            "{name}: it settles on one digit: {surprise:?}"
        );
    }
}

#[test]
fn a_pull_to_where_it_started_keeps_it_there() {
    alone(a_pull);
}

fn a_pull() {
    let stand = stand();
    let pull = [Part::Kl { weight: -2.0, to: To::From }];
    let away = [Part::Kl { weight: 0.0, to: To::From }];
    let ends = Part::Ends(Ends { missing: -1.0, soft: 0 });
    for (name, parts) in [("held", &pull), ("free", &away)] {
        let (stage, settings) =
            (tuned(16, 4, 3e-3), settings(leave_one_out(), Update::PolicyGradient(PolicyGradient {})));
        let parts = [parts.as_slice(), std::slice::from_ref(&ends)].concat();
        let mut rl = objective(&stand, &settings, &parts, &stage);
        let work = (examples(&settings, &stand), &mut rl as &mut dyn Objective);
        train(&stand, &stage, work, None, ("base", name), &Host::quiet()).unwrap();
    }
    let far = |name: &str| told(&stand, name, "kl")[15];
    assert_eq!(told(&stand, "held", "kl")[0], 0.0, "it begins where it started");
    assert!(far("free") > 0.5 && far("held") < 0.2 * far("free"), "{} and {}", far("held"), far("free"));
    // The penalty in the loss pulls too.
    for (name, kl) in [("near", 5.0), ("loose", 0.0)] {
        let (stage, settings) = (tuned(12, 4, 3e-3), settings(group(), clipped(2, kl)));
        let mut rl = objective(&stand, &settings, &away, &stage);
        let work = (examples(&settings, &stand), &mut rl as &mut dyn Objective);
        train(&stand, &stage, work, None, ("base", name), &Host::quiet()).unwrap();
    }
    let far = |name: &str| told(&stand, name, "kl")[11];
    assert!(far("near") < 0.7 * far("loose"), "{} and {}", far("near"), far("loose"));
}

#[test]
fn a_stage_that_was_stopped_and_one_on_one_thread_give_the_same_bytes() {
    let stand = stand();
    let (stage, settings) = (
        tuned(5, 4, 3e-3),
        settings(
            Advantage::Baseline(Baseline { decay: 0.9, samples: 4 }),
            Update::MirrorDescent(MirrorDescent { inner_steps: 4, kl: 0.1 }),
        ),
    );
    let run = |name: &str, host: &Host<'_>| {
        let mut rl = objective(&stand, &settings, &[Part::Kl { weight: -0.1, to: To::Ema }], &stage);
        let work = (examples(&settings, &stand), &mut rl as &mut dyn Objective);
        train(&stand, &stage, work, None, ("base", name), host)
    };
    run("whole", &Host::quiet()).unwrap();
    assert!(told(&stand, "whole", "kl").iter().skip(1).all(|kl| *kl != 0.0));
    let stop = AtomicBool::new(false);
    // Inside of the second round: it is finished before the stage stops.
    let event = |event: Event| {
        if matches!(event, Event::Loss { at: 6, .. }) {
            stop.store(true, Ordering::Relaxed);
        }
    };
    let host = Host { stop: &stop, event: &event, ..Host::quiet() };
    assert!(matches!(run("cut", &host), Err(TrainError::Stopped)));
    assert_eq!(told(&stand, "cut", "loss").len(), 8);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(|| run("cut", &Host::quiet())).unwrap();
    assert!(content(&stand.path("whole")) == content(&stand.path("cut")));
}

#[test]
fn an_adapter_learns_on_frozen_weights() {
    alone(an_adapter);
}

fn an_adapter() {
    let stand = stand();
    let (stage, settings) = (tuned(ROUNDS, 4, 3e-3), settings(leave_one_out(), clipped(2, 0.0)));
    let adapter = Adapter::new(&spec(), (8, 16.0), &Layers::All, 1).unwrap();
    let mut rl = objective(&stand, &settings, &[Part::Kl { weight: -0.001, to: To::From }], &stage);
    let work = (examples(&settings, &stand), &mut rl as &mut dyn Objective);
    train(&stand, &stage, work, Some(Box::new(adapter)), ("base", "adapted"), &Host::quiet()).unwrap();
    let rewards = told(&stand, "adapted", "reward");
    assert!(mean(&rewards[rewards.len() - 4..]) > mean(&rewards[..2]) + 0.12, "{rewards:?}");
    assert_eq!(told(&stand, "adapted", "kl")[0], 0.0, "B is 0 at the start");
    assert!(stand.path("adapted/adapter/adapter_model.safetensors").is_file());
}
