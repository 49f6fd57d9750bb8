//! Ten steps of every optimizer against its reference: `tests/python/optimizers.py`.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
#![cfg(feature = "kernels")]

mod common;

use common::{hidden, optimizer};
use llmp_nn::{Architecture, Cpu, Grads, Model, optim};
use llmp_train::optimizers::{Memory, Optimizer, Pace, update};
use serde_json::Value as Json;

const STEPS: u64 = 10;
const WARMUP: u64 = 3;
const SAMPLES: usize = 6;

fn spec() -> Architecture {
    Architecture {
        vocab: 13,
        layers: 1,
        width: 8,
        heads: 2,
        kv_heads: 1,
        head_dim: 6,
        ffn: hidden(11),
        tied: false,
        context: 8,
        ..Architecture::default()
    }
}

/// Numbers in -0.5 to 0.5 that every language computes alike.
fn noise(count: usize, seed: u64) -> Vec<f32> {
    let number = |i: u64| {
        let mut h = (i.wrapping_mul(2_654_435_761).wrapping_add(seed * 40_503 + 12_345)) & 0xffff_ffff;
        for shift in [15, 13, 16] {
            h = ((h ^ (h >> shift)).wrapping_mul(2_246_822_519)) & 0xffff_ffff;
        }
        h ^= h >> 15;
        ((h >> 8) as f64 / f64::from(1 << 24) - 0.5) as f32
    };
    (0..count as u64).map(number).collect()
}

fn with_mup(mut optimizer: Optimizer, base_width: u64) -> Optimizer {
    use llmp_train::optimizers::{Mup, Simple};
    let simple = Some(Mup::Simple(Simple { base_width }));
    match &mut optimizer {
        Optimizer::AdamW(it) => it.mup = simple,
        Optimizer::RmspropMomentum(it) => it.mup = simple,
        other => panic!("{other:?} has no mup"),
    }
    optimizer
}

/// Every case of the golden: its name, the optimizer, the peak of its rate.
fn cases() -> Vec<(&'static str, Optimizer, f64)> {
    let schedule = [("coupling", "schedule"), ("weight_decay", "0.01")];
    let skipping = [("betas", "[0.95, 0.9]"), ("weight_decay", "0.01")];
    let clipped = [("block_clip", "0.7"), ("skip_above", "none"), ("weight_decay", "0")];
    let original = [("nesterov", "false"), ("scale", "shape"), ("rest", "0.5")];
    let momentum = |nesterov, weight_decay| {
        optimizer("sgd", &[("momentum", "0.9"), ("nesterov", nesterov), ("weight_decay", weight_decay)])
    };
    vec![
        ("adamw", optimizer("adamw", &[]), 0.01),
        ("adamw_schedule", with_mup(optimizer("adamw", &schedule), 4), 0.01),
        ("sgd", optimizer("sgd", &[("weight_decay", "0.05")]), 0.02),
        ("sgd_momentum", momentum("false", "0.05"), 0.002),
        ("sgd_nesterov", momentum("true", "0"), 0.002),
        ("lion", optimizer("lion", &[]), 0.003),
        ("rmsprop_momentum", with_mup(optimizer("rmsprop_momentum", &skipping), 4), 0.02),
        ("rmsprop_clipped", with_mup(optimizer("rmsprop_momentum", &clipped), 4), 0.02),
        ("adafactor", optimizer("adafactor", &[("weight_decay", "0.1")]), 0.9),
        ("muon", optimizer("muon", &[]), 0.01),
        ("muon_shape", optimizer("muon", &original), 0.01),
    ]
}

/// The weights after ten steps.
fn ten_steps(optimizer: &Optimizer, peak: f64) -> Model {
    let mut flat = Vec::new();
    for (index, info) in spec().params().iter().enumerate() {
        flat.extend(noise(info.count(), index as u64));
    }
    let mut model = Model::from_flat(Cpu::default(), spec(), &flat).unwrap();
    let (mut grads, mut memory) = (Grads::zeros(&spec()), Memory::new(optimizer, &spec()));
    for step in 1..=STEPS {
        for (index, info) in spec().params().iter().enumerate() {
            let factor = if step == 5 { 64.0 } else { 1.0 };
            let values = noise(info.count(), 1000 * step + index as u64);
            grads.get_mut(index).copy_from_slice(&values.iter().map(|x| x * factor).collect::<Vec<f32>>());
        }
        let left = (STEPS - step) as f64;
        let schedule = if step < WARMUP { step as f64 / WARMUP as f64 } else { 0.3 + 0.1 * left };
        if !optimizer.rule().leaves_out(optim::global_norm(grads.flat())) {
            let pace = Pace { rate: peak * schedule, schedule };
            update(optimizer, pace, &mut model, &grads, &mut memory).unwrap();
        }
    }
    model
}

/// The largest relative error of the sampled weights, and where it is.
fn error(model: &Model, golden: &Json) -> (f64, String) {
    let mut worst = (0.0, String::new());
    for (info, values) in spec().params().iter().zip(model.params()) {
        let wanted = golden[&info.name].as_array().unwrap();
        assert_eq!(wanted.len(), SAMPLES);
        for (k, want) in wanted.iter().enumerate() {
            let (found, want) = (f64::from(values[k * values.len() / SAMPLES]), want.as_f64().unwrap());
            // What is near zero is compared with a small weight.
            let error = (found - want).abs() / want.abs().max(1e-2);
            if error > worst.0 {
                worst = (error, format!("{}[{k}]: {found} and {want}", info.name));
            }
        }
    }
    worst
}

fn golden() -> Json {
    serde_json::from_str(include_str!("golden/optimizers.json")).unwrap()
}

#[test]
fn ten_steps_equal_those_of_the_reference() {
    let golden = golden();
    let mut wrong = Vec::new();
    for (name, optimizer, peak) in cases() {
        let (error, at) = error(&ten_steps(&optimizer, peak), &golden[name]);
        println!("{name}: {error:.1e}");
        if error > 1e-5 {
            wrong.push(format!("{name}: {error:.1e} at {at}"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn every_setting_turns_the_golden_red() {
    let golden = golden();
    let changes = [
        ("adamw", "adamw", [("betas", "[0.9, 0.951]")].as_slice(), 0.01),
        ("adamw", "adamw", &[("weight_decay", "0.11")], 0.01),
        ("adamw", "adamw", &[("eps", "1e-4")], 0.01),
        ("adamw", "adamw", &[("coupling", "schedule"), ("weight_decay", "0.01")], 0.01),
        ("sgd_nesterov", "sgd", &[("momentum", "0.9")], 0.002),
        ("lion", "lion", &[("betas", "[0.9, 0.9]")], 0.003),
        ("adafactor", "adafactor", &[("weight_decay", "0.1"), ("decay_rate", "0.81")], 0.9),
        ("adafactor", "adafactor", &[("weight_decay", "0.1"), ("clip", "0.9")], 0.9),
        ("muon", "muon", &[("nesterov", "false")], 0.01),
        ("muon", "muon", &[("steps", "4")], 0.01),
        ("muon", "muon", &[("scale", "shape")], 0.01),
        ("muon", "muon", &[("rest", "0.99")], 0.01),
    ];
    for (case, name, settings, peak) in changes {
        let (error, _) = error(&ten_steps(&optimizer(name, settings), peak), &golden[case]);
        assert!(error > 1e-4, "{name} with {settings:?} differs by {error:.1e} only");
    }
    let rmsprop = |settings: &[(&str, &str)], width| with_mup(optimizer("rmsprop_momentum", settings), width);
    let plain = [("betas", "[0.95, 0.9]"), ("weight_decay", "0.01")];
    for (what, changed) in [
        ("no skipping", rmsprop(&[plain[0], plain[1], ("skip_above", "none")], 4)),
        ("no clip", rmsprop(&[plain[0], plain[1], ("block_clip", "1.1")], 4)),
        ("another width", rmsprop(&plain, 5)),
        ("another decay", rmsprop(&[plain[0], ("weight_decay", "0.011")], 4)),
    ] {
        let (error, _) = error(&ten_steps(&changed, 0.02), &golden["rmsprop_momentum"]);
        assert!(error > 1e-4, "{what}: {error:.1e}");
    }
}

#[test]
fn threads_change_no_byte() {
    for (name, optimizer, peak) in cases() {
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| ten_steps(&optimizer, peak).to_flat())
        };
        assert!(run(1) == run(3), "{name}");
    }
}
