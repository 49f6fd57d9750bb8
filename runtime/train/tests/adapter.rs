//! Training a low-rank adapter on frozen weights: what moves, what stays, resumed, and read again as a PEFT folder.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
#![cfg(feature = "kernels")]

mod common;

use std::sync::atomic::{AtomicBool, Ordering};

use common::{Stand, content, documents, spec, stage};
use llmp_nn::weights::load_adapter;
use llmp_nn::{Layers, Model};
use llmp_stdlib::Event;
use llmp_train::adapter::{Adapter, FOLDER};
use llmp_train::training::{Inputs, NextToken, Summary, train_under};
use llmp_train::{Host, TrainError};

fn adapted(stand: &Stand, name: &str, host: &Host<'_>) -> Result<Summary, TrainError> {
    let (tokenizer, base) = (stand.path("tokenizer.json"), stand.path("base"));
    let shards = vec![stand.shard("left", &documents(1)), stand.shard("right", &documents(2))];
    let inputs =
        Inputs { shards, examples: None, tokenizer: &tokenizer, from: Some(&base), held_out: Vec::new() };
    let adapter = Adapter::new(&spec(), (4, 8.0), &Layers::All, stage().stream("adapter"))?;
    train_under(&stage(), &mut NextToken, Some(Box::new(adapter)), inputs, &stand.path(name), host)
}

fn losses(stand: &Stand, name: &str) -> Vec<f64> {
    let text = std::fs::read_to_string(stand.path(name).join("metrics.jsonl")).unwrap();
    text.lines()
        .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap()["loss"].as_f64().unwrap())
        .collect()
}

#[test]
fn an_adapter_learns_on_frozen_weights_and_its_sum_is_the_result() {
    let stand = Stand::new();
    let mut long = stage();
    long.goal = llmp_train::budget::Goal::Steps(40);
    stand.run(&long, "base", &Host::quiet()).unwrap();
    adapted(&stand, "whole", &Host::quiet()).unwrap();
    let losses = losses(&stand, "whole");
    assert!(losses[11] < losses[0], "{losses:?}");
    let base = Model::load(&stand.path("base")).unwrap();
    let (lora, numbers) = load_adapter(&stand.path("whole").join(FOLDER), base.spec()).unwrap();
    let mut sum = base.clone();
    lora.add(&numbers, &mut sum.params_mut()).unwrap();
    let whole = Model::load(&stand.path("whole")).unwrap();
    assert_eq!(whole.to_flat(), sum.to_flat(), "the result is base and adapter, bit for bit");
    for (at, (before, after)) in base.params().iter().zip(whole.params()).enumerate() {
        assert_eq!(*before != after, lora.covers().contains(&at), "parameter {at}");
    }

    let stop = AtomicBool::new(false);
    let event = |event: Event| {
        if matches!(event, Event::Loss { at: 5, .. }) {
            stop.store(true, Ordering::Relaxed);
        }
    };
    let host = Host { stop: &stop, event: &event, ..Host::quiet() };
    assert!(matches!(adapted(&stand, "cut", &host), Err(TrainError::Stopped)));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(|| adapted(&stand, "cut", &Host::quiet())).unwrap();
    assert!(content(&stand.path("whole")) == content(&stand.path("cut")), "another result after a stop");
}

#[test]
fn the_first_loss_is_that_of_the_base() {
    let stand = Stand::new();
    let mut long = stage();
    long.goal = llmp_train::budget::Goal::Steps(40);
    stand.run(&long, "base", &Host::quiet()).unwrap();
    adapted(&stand, "adapted", &Host::quiet()).unwrap();
    let tokenizer = stand.path("tokenizer.json");
    let base = stand.path("base");
    let shards = vec![stand.shard("left", &documents(1)), stand.shard("right", &documents(2))];
    let inputs =
        Inputs { shards, examples: None, tokenizer: &tokenizer, from: Some(&base), held_out: Vec::new() };
    llmp_train::training::train(&stage(), inputs, &stand.path("plain"), &Host::quiet()).unwrap();
    assert_eq!(losses(&stand, "adapted")[0], losses(&stand, "plain")[0], "B begins as 0");
}
