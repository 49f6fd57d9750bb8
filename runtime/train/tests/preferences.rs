//! Stages on preferences: the reference live or before, adapters, parts, resumed; reward models; pairs of own answers.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
#![cfg(feature = "kernels")]

mod common;

use std::sync::atomic::{AtomicBool, Ordering};

use common::{END, Stand, content, spec, stage};
use llmp_data::row::Message;
use llmp_nn::{Layers, Model, SaveOptions};
use llmp_stdlib::Event;
use llmp_stdlib::arg::BatchSize;
use llmp_train::adapter::Adapter;
use llmp_train::budget::Goal;
use llmp_train::chat::Chat;
use llmp_train::course::{Batch as Size, Context};
use llmp_train::kinds::prefer::{Dpo, Kto, Length, NllPer, PreferLoss, Simpo};
use llmp_train::kinds::reward_model::{BradleyTerry, Margin, MarginRule, RewardLoss, SoftLabels};
use llmp_train::preference::{Asked, Prefer, Reference, Said, Sampling, frozen, refer};
use llmp_train::reward::{self, Judge, Judging, RewardModel, judge};
use llmp_train::settings::{Accumulate, Precision};
use llmp_train::stage::Stage;
use llmp_train::training::{
    Example, ExampleSource, Examples, Inputs, Layout, Objective, Overlay, Sequence, Summary, train_under,
};
use llmp_train::{Host, TrainError};

const TEMPLATE: &str = "{% for m in messages %}{% if m.role == 'user' %}Q{{ m.content }}{% else %}A{{ m.content }}<|endoftext|>\
                        {% endif %}{% endfor %}{% if add_generation_prompt %}A{% endif %}";

/// A question with an answer that counts.
fn sequence(asked: &str, said: &str) -> Sequence {
    let mut ids: Vec<u32> = format!("Q{asked}A{said}").bytes().map(u32::from).collect();
    ids.push(END);
    Sequence { counted: std::iter::once(asked.len() + 2..ids.len()).collect(), ids }
}

const QUESTIONS: [&str; 12] =
    ["a?", "why?", "north?", "2+2?", "who?", "rain?", "sun?", "cat", "dog?", "how?", "red?", "me?"];

/// Polite answers are better, in several words.
fn answers(at: usize) -> (String, String) {
    let words = ["yes", "no", "maybe", "so"];
    let (good, bad) = (words[at % 4], words[(at + 1) % 4]);
    (format!("{good} please"), format!("{bad}{}", "!".repeat(1 + at % 3)))
}

fn pairs() -> Vec<Example> {
    let one = |(at, asked): (usize, &&str)| {
        let (good, bad) = answers(at);
        vec![sequence(asked, &good), sequence(asked, &bad)]
    };
    QUESTIONS.iter().enumerate().map(one).collect()
}

fn examples(examples: Vec<Example>, layout: Layout) -> Examples {
    let source = ExampleSource { name: "pairs".into(), share: 1.0, max_epochs: None, examples };
    Examples { sources: vec![source], layout, held_out: Vec::new() }
}

fn preferring(batch: u64, parts: u64) -> Stage {
    Stage {
        sources: Vec::new(),
        goal: Goal::Steps(8),
        context: Context::Fixed(32),
        batch: Some(Size::Fixed(BatchSize::Sequences(batch))),
        accumulate: Accumulate::Parts(parts),
        ..stage()
    }
}

fn stand() -> Stand {
    let stand = Stand::new();
    std::fs::write(stand.path("chat_template.jinja"), TEMPLATE).unwrap();
    Model::init(spec(), 3).unwrap().save(&stand.path("base"), &SaveOptions::default()).unwrap();
    stand
}

fn run(
    stand: &Stand,
    stage: &Stage,
    examples: Examples,
    (objective, overlay): (&mut dyn Objective, Option<Box<dyn Overlay>>),
    name: &str,
    host: &Host<'_>,
) -> Result<Summary, TrainError> {
    let (tokenizer, base) = (stand.path("tokenizer.json"), stand.path("base"));
    let examples = Some(examples);
    let inputs = Inputs {
        shards: Vec::new(),
        examples,
        tokenizer: &tokenizer,
        from: Some(&base),
        held_out: Vec::new(),
    };
    train_under(stage, objective, overlay, inputs, &stand.path(name), host)
}

fn lines(stand: &Stand, name: &str) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(stand.path(name).join("metrics.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn losses(stand: &Stand, name: &str) -> Vec<f64> {
    lines(stand, name).iter().map(|line| line["loss"].as_f64().unwrap()).collect()
}

fn near(ours: &[f64], theirs: &[f64], most: f64) {
    assert_eq!(ours.len(), theirs.len());
    for (a, b) in ours.iter().zip(theirs) {
        assert!((a - b).abs() <= most * a.abs().max(1e-9), "{ours:?}\n{theirs:?}");
    }
}

fn dpo() -> PreferLoss {
    let (length, nll_per) = (Length::Sum, NllPer::Token);
    PreferLoss::Dpo(Dpo { beta: 0.3, nll: 0.2, smoothing: 0.0, length, nll_per })
}

fn live(stand: &Stand) -> Reference {
    Reference::Live(Box::new(frozen(&stand.path("base"), 32, Precision::F32).unwrap()))
}

fn adapter() -> Option<Box<dyn Overlay>> {
    Some(Box::new(Adapter::new(&spec(), (4, 8.0), &Layers::All, 5).unwrap()))
}

#[test]
fn a_policy_comes_to_prefer_what_is_chosen_and_says_by_how_much() {
    let stand = stand();
    let stage = Stage { goal: Goal::Steps(30), ..preferring(6, 2) };
    let mut objective = Prefer::pairs(&dpo(), live(&stand), None).unwrap();
    let all = examples(pairs(), Layout::Rows);
    run(&stand, &stage, all, (&mut objective, None), "whole", &Host::quiet()).unwrap();
    let lines = lines(&stand, "whole");
    let of = |line: usize, name: &str| lines[line]["objective"][name].as_f64().unwrap();
    // At the reference: log 2 and the NLL, no gain, no divergence.
    assert!(of(0, "margin").abs() < 1e-4 && of(0, "kl").abs() < 1e-6, "{}", lines[0]);
    assert!(of(29, "accuracy") == 1.0 && of(29, "margin") > 1.0, "{}", lines[29]);
    assert!((of(29, "chosen_gain") - of(29, "rejected_gain") - of(29, "margin")).abs() < 1e-6);
    assert!(of(29, "chosen_gain") > 0.0, "the NLL of chosen answers pulls them up");
    assert!(of(29, "kl") > 0.0);
}

#[test]
fn a_batch_in_parts_is_the_batch_as_a_whole() {
    let stand = stand();
    let wanted: Vec<bool> = (0..24).map(|at| at % 2 == 0).collect();
    let single: Vec<Example> = pairs().into_iter().flatten().map(|s| vec![s]).collect();
    let kto = Kto { beta: 0.3, wanted: 1.0, unwanted: 0.8 };
    for (name, parts) in [("one", 1), ("two", 4)] {
        let mut objective = Prefer::pairs(&dpo(), live(&stand), None).unwrap();
        let all = examples(pairs(), Layout::Rows);
        run(&stand, &preferring(8, parts), all, (&mut objective, None), name, &Host::quiet()).unwrap();
        let answers = single.iter().flatten().cloned().collect();
        let mut objective = Prefer::labelled(kto.clone(), wanted.clone(), answers, live(&stand));
        let (all, name) = (examples(single.clone(), Layout::Rows), format!("kto-{name}"));
        run(&stand, &preferring(8, parts), all, (&mut objective, None), &name, &Host::quiet()).unwrap();
    }
    near(&losses(&stand, "one"), &losses(&stand, "two"), 1e-4);
    near(&losses(&stand, "kto-one"), &losses(&stand, "kto-two"), 1e-4);
    let points: Vec<f64> = lines(&stand, "kto-two")
        .iter()
        .map(|line| line["objective"]["reference_point"].as_f64().unwrap())
        .collect();
    assert!(points[0].abs() < 1e-4 && points.iter().any(|z| *z > 1e-3), "{points:?}");
    let weights = |name: &str| Model::load(&stand.path(name)).unwrap().to_flat();
    let apart = weights("one").iter().zip(weights("two")).fold(0f32, |m, (a, b)| m.max((a - b).abs()));
    assert!(apart < 1e-4, "{apart}");
}

#[test]
fn a_reference_that_was_asked_before_is_the_one_that_runs_beside() {
    let stand = stand();
    let base = frozen(&stand.path("base"), 32, Precision::F32).unwrap();
    let tokens = refer(&base, pairs().iter(), &stand.path("said"), &Host::quiet()).unwrap();
    assert_eq!(tokens as usize, pairs().iter().flatten().map(Sequence::targets).sum::<usize>());
    let said = Said::open(&stand.path("said"), pairs().iter()).unwrap();
    for (name, reference) in [("before", Reference::Said(said)), ("live", live(&stand))] {
        let mut objective = Prefer::pairs(&dpo(), reference, None).unwrap();
        let all = examples(pairs(), Layout::Rows);
        run(&stand, &preferring(4, 2), all, (&mut objective, None), name, &Host::quiet()).unwrap();
    }
    near(&losses(&stand, "before"), &losses(&stand, "live"), 1e-5);
    let fewer = Said::open(&stand.path("said"), pairs().iter().skip(1)).unwrap_err().to_string();
    assert!(fewer.contains("tokens that count"), "{fewer}");
    // Numpy's own form: one dimension of little-endian floats behind a header of a multiple of 64 bytes.
    let bytes = std::fs::read(stand.path("said/logps.npy")).unwrap();
    assert!(
        bytes.starts_with(b"\x93NUMPY\x01\x00") && (bytes.len() - 4 * tokens as usize).is_multiple_of(64)
    );
}

#[test]
fn an_adapter_begins_as_its_base_and_a_stopped_stage_goes_on_to_the_same_bytes() {
    let stand = stand();
    let plain = PreferLoss::Dpo(Dpo {
        beta: 0.3,
        nll: 0.0,
        smoothing: 0.0,
        length: Length::Sum,
        nll_per: NllPer::Token,
    });
    for (kind, overlay) in [("plain", false), ("adapted", true)] {
        let go = |name: &str, host: &Host<'_>| {
            let mut objective = Prefer::pairs(&plain, live(&stand), None).unwrap();
            let overlay = if overlay { adapter() } else { None };
            let all = examples(pairs(), Layout::Rows);
            run(&stand, &preferring(4, 2), all, (&mut objective, overlay), name, host)
        };
        go(kind, &Host::quiet()).unwrap();
        assert!((losses(&stand, kind)[0] - 2f64.ln()).abs() < 1e-5);
        let (stop, cut) = (AtomicBool::new(false), format!("{kind}-cut"));
        let event = |event: Event| {
            if matches!(event, Event::Loss { at: 5, .. }) {
                stop.store(true, Ordering::Relaxed);
            }
        };
        let host = Host { stop: &stop, event: &event, ..Host::quiet() };
        assert!(matches!(go(&cut, &host), Err(TrainError::Stopped)));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        pool.install(|| go(&cut, &Host::quiet())).unwrap();
        assert!(
            content(&stand.path(kind)) == content(&stand.path(&cut)),
            "{kind}: another result after a stop"
        );
    }
    assert!(stand.path("adapted/adapter/adapter_model.safetensors").exists());
}

#[test]
fn what_teaches_nothing_is_an_error() {
    let stand = stand();
    let mut all = pairs();
    all.iter_mut().skip(1).flatten().for_each(|sequence| sequence.counted.clear());
    let simpo = PreferLoss::Simpo(Simpo { beta: 2.0, gamma: 1.0 });
    let mut objective = Prefer::pairs(&simpo, Reference::Nothing, None).unwrap();
    let masked = examples(all, Layout::Rows);
    let said = run(&stand, &preferring(1, 1), masked, (&mut objective, None), "masked", &Host::quiet());
    let said = said.unwrap_err().to_string();
    assert!(said.contains("every token of the batch is masked"), "{said}");
    let kto = PreferLoss::Kto(Kto { beta: 0.1, wanted: 1.0, unwanted: 1.0 });
    assert!(Prefer::pairs(&kto, Reference::Nothing, None).unwrap_err().to_string().contains("no pairs"));
}

/// Pairs as a reward model reads them, some with an edited answer.
fn judged(edited: bool) -> (Vec<Example>, Vec<reward::Example>) {
    let closed = |mut s: Sequence| {
        s.ids.push(0);
        s.counted = std::iter::once(s.ids.len() - 1..s.ids.len()).collect();
        s
    };
    let (mut all, mut known) = (Vec::new(), Vec::new());
    for (at, pair) in pairs().into_iter().enumerate() {
        let mut sequences: Vec<Sequence> = pair.into_iter().map(closed).collect();
        let mut example = reward::Example { better: 0.85, ..reward::Example::default() };
        if edited && at % 2 == 0 {
            sequences.push(closed(sequence(QUESTIONS[at], &format!("{} dear", answers(at).0))));
            example.edited = true;
        }
        example.grades = [vec![Some(2), Some(at % 3)], vec![Some(0), None]];
        all.push(sequences);
        known.push(example);
    }
    (all, known)
}

fn bradley_terry(edited: bool) -> RewardLoss {
    RewardLoss::BradleyTerry(BradleyTerry { margin: Margin::Rule(MarginRule::Off), edited })
}

#[test]
fn a_reward_model_learns_to_judge_and_is_read_again() {
    let stand = stand();
    let soft = RewardLoss::SoftLabels(SoftLabels { grades: 2, levels: vec![0.95, 0.85], weight: 0.5 });
    let cases = [
        ("plain", bradley_terry(false), false, false),
        ("edited", bradley_terry(true), true, true),
        ("soft", soft, false, false),
    ];
    for (name, loss, edited, lora) in cases {
        let (all, known) = judged(edited);
        let stage = Stage { goal: Goal::Steps(24), ..preferring(6, 2) };
        let go = |name: &str, host: &Host<'_>| {
            let adapter = lora.then(|| Adapter::new(&spec(), (4, 8.0), &Layers::All, 5).unwrap());
            let (mut objective, heads) = Judging::new(&loss, known.clone(), &spec(), adapter, 11);
            let all = examples(all.clone(), Layout::Rows);
            run(&stand, &stage, all, (&mut objective, Some(Box::new(heads))), name, host)
        };
        go(name, &Host::quiet()).unwrap();
        let losses = losses(&stand, name);
        assert!(losses[23] < 0.8 * losses[0], "{name}: {losses:?}");
        let told = &lines(&stand, name)[23]["objective"];
        assert!(told["accuracy"].as_f64().unwrap() > 0.8 && told["margin"].as_f64().unwrap() > 0.0, "{told}");
        let model = RewardModel::load(&stand.path(name)).unwrap();
        let seen = judge(&model, &all).unwrap();
        assert!(seen.pairs == 12 && seen.accuracy > 0.8 && seen.margin > 0.0, "{name}: {seen:?}");
        // A text scores the same alone and beside longer ones.
        let texts: Vec<&[u32]> = all.iter().flatten().map(|s| &s.ids[..s.positions()]).collect();
        let together = model.score(&texts).unwrap();
        for (text, score) in texts.iter().zip(&together) {
            assert!((model.score(&[text]).unwrap()[0] - score).abs() < 1e-5);
        }
        assert!(model.score(&[&[]]).is_err() && model.score(&[&[400]]).is_err());

        let (stop, cut) = (AtomicBool::new(false), format!("{name}-cut"));
        let event = |event: Event| {
            if matches!(event, Event::Loss { at: 7, .. }) {
                stop.store(true, Ordering::Relaxed);
            }
        };
        let host = Host { stop: &stop, event: &event, ..Host::quiet() };
        assert!(matches!(go(&cut, &host), Err(TrainError::Stopped)));
        go(&cut, &Host::quiet()).unwrap();
        assert!(
            content(&stand.path(name)) == content(&stand.path(&cut)),
            "{name}: another result after a stop"
        );
    }
}

#[test]
fn own_answers_become_pairs_by_their_rewards() {
    let stand = stand();
    let (all, known) = judged(false);
    let (mut objective, heads) = Judging::new(&bradley_terry(false), known, &spec(), None, 11);
    let all = examples(all, Layout::Rows);
    run(&stand, &preferring(6, 2), all, (&mut objective, Some(Box::new(heads))), "judge", &Host::quiet())
        .unwrap();
    let prompts: Vec<Vec<Message>> = QUESTIONS.iter().map(|q| vec![Message::new("user", *q)]).collect();
    let chat = || Chat::new(TEMPLATE, &stand.vocabulary()).unwrap();
    let asked: Vec<Example> = prompts
        .iter()
        .map(|p| vec![Sequence { ids: chat().prompt(p).unwrap(), counted: Vec::new() }])
        .collect();
    let go = |name: &str, host: &Host<'_>| {
        let sampling = Sampling { n: 4, temperature: 1.0, max_tokens: 12, stream: 3, ends: true };
        let judge = Judge::open(&stand.path("judge"), &stand.vocabulary()).unwrap();
        let asked_of =
            Asked { prompts: prompts.clone(), chat: chat(), vocabulary: stand.vocabulary(), sampling, judge };
        let mut objective = Prefer::pairs(&dpo(), live(&stand), Some(asked_of)).unwrap();
        let stage = Stage { goal: Goal::Steps(4), ..preferring(5, 1) };
        let all = examples(asked.clone(), Layout::Prompts);
        run(&stand, &stage, all, (&mut objective, None), name, host)
    };
    go("online", &Host::quiet()).unwrap();
    for line in lines(&stand, "online") {
        let of = |name: &str| line["objective"][name].as_f64().unwrap();
        assert!(of("reward_best") > of("reward_worst"), "{line}");
    }
    let stop = AtomicBool::new(false);
    let event = |event: Event| {
        if matches!(event, Event::Loss { at: 2, .. }) {
            stop.store(true, Ordering::Relaxed);
        }
    };
    assert!(go("cut", &Host { stop: &stop, event: &event, ..Host::quiet() }).is_err());
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(|| go("cut", &Host::quiet())).unwrap();
    assert!(content(&stand.path("online")) == content(&stand.path("cut")), "another result after a stop");
}
