//! Looks at a model while it trains: they change nothing, stand in the lines of their steps, and are taken once.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
#![cfg(feature = "kernels")]

mod common;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use common::{Stand, content, documents, stage};
use llmp_nn::Model;
use llmp_stdlib::Event;
use llmp_train::evaluate;
use llmp_train::settings::{Every, Interval, Times};
use llmp_train::stage::Stage;
use llmp_train::training::{HeldOut, Inputs, Summary, train};
use llmp_train::{Host, TrainError};
use serde_json::Value as Json;

fn every(distance: Interval) -> Option<Times> {
    Some(Times::Every(Every { distance }))
}

const TEXTS: &[&str] = &["a red dog sat on a mat.", "rain falls on the small tree."];

fn held_out(stand: &Stand) -> HeldOut {
    let bytes = TEXTS.iter().map(|text| text.len() as u64).sum();
    HeldOut { suite: "bits_per_byte".to_owned(), shard: stand.shard("held", TEXTS), bytes }
}

fn run(stand: &Stand, stage: &Stage, name: &str, host: &Host<'_>) -> Result<Summary, TrainError> {
    let shards = vec![stand.shard("left", &documents(1)), stand.shard("right", &documents(2))];
    let tokenizer = stand.path("tokenizer.json");
    let held_out = stage.evaluate.iter().map(|_| held_out(stand)).collect();
    train(
        stage,
        Inputs { shards, examples: None, tokenizer: &tokenizer, from: None, held_out },
        &stand.path(name),
        host,
    )
}

fn lines(stand: &Stand, name: &str) -> Vec<Json> {
    let text = std::fs::read_to_string(stand.path(name).join("metrics.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Steps whose line has this.
fn steps_with(lines: &[Json], key: &str) -> Vec<u64> {
    lines.iter().filter(|line| line.get(key).is_some()).map(|line| line["step"].as_u64().unwrap()).collect()
}

#[test]
fn looks_change_no_weight_and_stand_in_the_lines_of_their_steps() {
    let stand = Stand::new();
    run(&stand, &stage(), "none", &Host::quiet()).unwrap();
    let evaluate = every(Interval::Tokens(700));
    let looking = Stage { evaluate, sample: every(Interval::Steps(5)), ..stage() };
    let told = Mutex::new(Vec::new());
    let event = |event: Event| match event {
        Event::Metric { name, value, .. } => told.lock().unwrap().push(format!("{name} {value}")),
        Event::Sample { text, .. } => told.lock().unwrap().push(text),
        Event::Progress { .. } => panic!("the bar of a stage counts tokens"),
        _ => {}
    };
    run(&stand, &looking, "looks", &Host { event: &event, ..Host::quiet() }).unwrap();
    let (none, looks) = (content(&stand.path("none")), content(&stand.path("looks")));
    for file in ["/model.safetensors", "/config.json", "/stage.json"] {
        assert!(none[file] == looks[file], "{file}");
    }
    // Batches of 192 tokens: 700 are passed in the fourth, 1400 in the eighth, 2100 in the eleventh; the twelfth is the last.
    let all = lines(&stand, "looks");
    assert_eq!(
        (steps_with(&all, "evaluation"), steps_with(&all, "sample")),
        (vec![4, 8, 11, 12], vec![5, 10, 12])
    );
    let strip = |line: &Json| {
        let mut line = line.clone();
        ["evaluation", "sample"].iter().for_each(|key| drop(line.as_object_mut().unwrap().remove(*key)));
        line
    };
    assert_eq!(all.iter().map(strip).collect::<Vec<_>>(), lines(&stand, "none"));
    // The last look is at the model that the stage gives.
    let model = Model::load(&stand.path("looks")).unwrap();
    let held = held_out(&stand);
    let measure = evaluate::bits_per_byte(&model, &held.shard, held.bytes, &Host::quiet()).unwrap();
    let last = &all[11]["evaluation"];
    assert!((last["bits_per_byte"].as_f64().unwrap() / measure.bits_per_byte - 1.0).abs() < 1e-12);
    assert!((last["perplexity"].as_f64().unwrap() / measure.perplexity - 1.0).abs() < 1e-12);
    let first = all[3]["evaluation"]["bits_per_byte"].as_f64().unwrap();
    assert!(first > measure.bits_per_byte, "it learns: {first} and then {measure:?}");
    assert_eq!(told.into_inner().unwrap().len(), 4 * 2 + 3);
    let events = String::from_utf8_lossy(&looks["/events.out.tfevents.0"]).into_owned();
    assert_eq!(
        (events.matches("evaluation/bits_per_byte").count(), events.matches("sample").count()),
        (4, 3)
    );
}

#[test]
fn a_stage_that_looks_resumes_to_the_same_bytes_and_looks_once() {
    let stand = Stand::new();
    let looking =
        Stage { evaluate: every(Interval::Share(0.3)), sample: every(Interval::Steps(4)), ..stage() };
    run(&stand, &looking, "whole", &Host::quiet()).unwrap();
    let want = content(&stand.path("whole"));
    for at in 1..12 {
        let (stop, name) = (AtomicBool::new(false), format!("cut-{at}"));
        let event = |event: Event| {
            if let Event::Loss { at: step, .. } = event {
                stop.store(step == at, Ordering::Relaxed);
            }
        };
        let host = Host { stop: &stop, event: &event, ..Host::quiet() };
        assert!(matches!(run(&stand, &looking, &name, &host), Err(TrainError::Stopped)));
        run(&stand, &looking, &name, &Host::quiet()).unwrap();
        assert!(content(&stand.path(&name)) == want, "stopped after step {at}");
    }
}

#[test]
fn a_stop_during_a_look_loses_its_step_only() {
    let stand = Stand::new();
    let looking = Stage { sample: every(Interval::Steps(5)), ..stage() };
    run(&stand, &looking, "whole", &Host::quiet()).unwrap();
    let stop = AtomicBool::new(false);
    // The clock is asked before the fifth step and after it: the flag is raised before the model writes.
    let asked = AtomicU64::new(0);
    let saved = Mutex::new(String::new());
    let event = |event: Event| {
        if let Event::Saved { what, .. } = event {
            *saved.lock().unwrap() = what;
        }
    };
    let clock = || {
        let four = saved.lock().unwrap().ends_with("step 4");
        if four && asked.fetch_add(1, Ordering::Relaxed) == 2 {
            stop.store(true, Ordering::Relaxed);
        }
        0.0
    };
    let host = Host { stop: &stop, event: &event, clock: &clock, ..Host::quiet() };
    let cut = run(&stand, &looking, "cut", &host);
    assert!(matches!(cut, Err(TrainError::Stopped)), "{cut:?}");
    assert_eq!(lines(&stand, "cut").len(), 4);
    run(&stand, &looking, "cut", &Host::quiet()).unwrap();
    assert!(content(&stand.path("cut")) == content(&stand.path("whole")));
}

#[test]
fn looks_by_time_change_no_weight() {
    let stand = Stand::new();
    run(&stand, &stage(), "none", &Host::quiet()).unwrap();
    let looking = Stage { evaluate: every(Interval::Seconds(50.0)), ..stage() };
    let ticks = AtomicU64::new(0);
    let clock = || ticks.fetch_add(9, Ordering::Relaxed) as f64;
    run(&stand, &looking, "timed", &Host { clock: &clock, ..Host::quiet() }).unwrap();
    let found = steps_with(&lines(&stand, "timed"), "evaluation");
    assert!(found.len() > 2 && found.len() < 12 && found.last() == Some(&12), "{found:?}");
    assert!(
        content(&stand.path("none"))["/model.safetensors"]
            == content(&stand.path("timed"))["/model.safetensors"]
    );
}

#[test]
fn a_z_loss_is_told_apart_from_the_loss() {
    let stand = Stand::new();
    run(&stand, &stage(), "none", &Host::quiet()).unwrap();
    run(&stand, &Stage { z_loss: 0.01, ..stage() }, "z", &Host::quiet()).unwrap();
    let (none, z) = (lines(&stand, "none"), lines(&stand, "z"));
    // Before the first update both have one model: the loss is the cross-entropy alone.
    assert_eq!(none[0]["loss"], z[0]["loss"]);
    assert!(none[0].get("z_loss").is_none() && none[0]["norm"] != z[0]["norm"]);
    let penalty = |line: &Json| line["z_loss"].as_f64().unwrap();
    // About log(320)^2 at first, times the weight.
    assert!((penalty(&z[0]) / (0.01 * 320f64.ln().powi(2)) - 1.0).abs() < 0.1, "{}", z[0]);
    assert!(penalty(&z[11]) < penalty(&z[0]));
}
