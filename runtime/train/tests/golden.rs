//! Ten steps (loss, clipping, schedule, AdamW) against PyTorch and transformers: `golden/training.py`.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
#![cfg(feature = "kernels")]

mod common;

use std::sync::Mutex;

use common::{Stand, spec, stage};
use llmp_nn::{Cpu, Model, SaveOptions};
use llmp_stdlib::Event;
use llmp_stdlib::arg::{BatchSize, Length};
use llmp_train::Host;
use llmp_train::budget::Goal;
use llmp_train::course::Batch;
use llmp_train::optimizers::Optimizer;
use llmp_train::schedules::{Cosine, Over, Schedule};
use llmp_train::settings::{Attention, Clip};
use llmp_train::stage::Source;
use llmp_train::training::{Inputs, train};
use serde_json::Value as Json;

/// The initial weights of the golden: sine waves.
fn waves() -> Vec<f32> {
    let mut flat = Vec::new();
    for (index, info) in spec().params().iter().enumerate() {
        let wave = (0..info.count()).map(|i| (0.37 * i as f64 + index as f64).sin());
        flat.extend(wave.map(|x| if info.shape.len() == 1 { 1.0 + 0.1 * x } else { 0.15 * x } as f32));
    }
    flat
}

#[test]
fn ten_steps_equal_those_of_pytorch() {
    let golden: Json = serde_json::from_str(include_str!("golden/training.json")).unwrap();
    let stand = Stand::new();
    let start = Model::from_flat(Cpu::default(), spec(), &waves()).unwrap();
    start.save(&stand.path("start"), &SaveOptions::default()).unwrap();

    let mut stage = stage();
    stage.sources =
        vec![Source { input: 0, share: 1.0, max_epochs: None, name: String::new(), then: Vec::new() }];
    stage.from = Some(1);
    (stage.goal, stage.batch) = (Goal::Steps(10), Some(Batch::Fixed(BatchSize::Sequences(4))));
    (stage.clip, stage.attention) = (golden["clip"].as_f64().map(Clip::Norm), Attention::Across);
    let (warmup, over) = (Length::Steps(3), Over::Stage);
    let Optimizer::AdamW(adamw) = &mut stage.optimizer else { panic!("another optimizer") };
    adamw.eps = 1e-3;
    stage.schedule = Schedule::Cosine(Cosine { peak: 1e-2, warmup, floor: 0.1, over });

    let lines = Mutex::new(Vec::new());
    let event = |event: Event| {
        if let Event::Loss { loss, rate, gradient_norm, .. } = event {
            lines.lock().unwrap().push([loss, gradient_norm, rate]);
        }
    };
    let shards = vec![stand.shard("text", &[golden["text"].as_str().unwrap()])];
    let (tokenizer, from) = (stand.path("tokenizer.json"), stand.path("start"));
    let inputs =
        Inputs { shards, examples: None, tokenizer: &tokenizer, from: Some(&from), held_out: Vec::new() };
    train(&stage, inputs, &stand.path("run"), &Host { event: &event, ..Host::quiet() }).unwrap();

    let lines = lines.into_inner().unwrap();
    for (step, (line, want)) in lines.iter().zip(golden["steps"].as_array().unwrap()).enumerate() {
        for (value, (name, tolerance)) in line.iter().zip([("loss", 1e-5), ("norm", 5e-4), ("lr", 1e-12)]) {
            let want = want[name].as_f64().unwrap();
            assert!(
                (value - want).abs() < tolerance * want,
                "step {step}: {name} is {value}, PyTorch has {want}"
            );
        }
    }
    assert_eq!(lines.len(), 10);
    let end = Model::load(&stand.path("run")).unwrap();
    for (info, values) in end.spec().params().iter().zip(end.params()) {
        for (value, want) in values.iter().zip(golden["weights"][&info.name].as_array().unwrap()) {
            let want = want.as_f64().unwrap();
            assert!((f64::from(*value) - want).abs() < 5e-5, "{}: {value}, PyTorch has {want}", info.name);
        }
    }
}
