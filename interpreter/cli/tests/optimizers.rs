//! Every optimizer and schedule in one program: a flat run, and stages that branch from it.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

mod common;

use std::collections::BTreeMap;

use common::{PROGRAM, Project, text};

const BRANCHES: &[(&str, &str, &str)] = &[
    (
        "decay",
        "adamw(weight_decay = 1e-4, coupling = schedule, mup = simple(base_width = 16))",
        "wsd(warmup = 0%, decay = 100%)",
    ),
    ("frozen", r#"adamw(on = ["blocks.*.ffn", "norm"])"#, "linear()"),
    ("factored", "adafactor()", "constant(3e-2)"),
    ("signs", "lion()", "inverse_root(peak = 3e-4, warmup = 2 steps, timescale = 4)"),
    ("turned", "muon()", "cosine(peak = 2e-3)"),
    (
        "normalised",
        "rmsprop_momentum(mup = simple(base_width = 16))",
        "piecewise(peak = 5e-3, pieces = [{ length = 2k tokens }, { length = 1 epochs, to = 10%, shape = cosine }])",
    ),
    ("plain", "sgd(momentum = 0.9, nesterov = true)", "wsd(peak = 3e-2, decay = 50%)"),
];

#[test]
fn every_optimizer_trains_a_branch_of_a_flat_run() {
    let project = Project::new();
    let flat = "  checkpoints = every(8 steps)\n  schedule    = constant(3e-3)\n";
    let mut program = PROGRAM.replace("  checkpoints = every(8 steps)\n", flat);
    assert!(program.contains(flat));
    for (name, optimizer, schedule) in BRANCHES {
        program += &format!(
            "\npretrain {name} {{\n  from      = run\n  data      = clean\n  tokens    = 8k\n  batch     = 8 sequences\n  \
             clip      = by_value(0.5)\n  optimizer = {optimizer}\n  schedule  = {schedule}\n}}\n\
             eval of_{name} {{ model = {name}, suites = [bits_per_byte(clean.heldout)] }}\n"
        );
    }
    project.write("main.llmp", program);
    let checked = project.llmp(&["check", "main.llmp"]);
    assert!(checked.status.success(), "{}", text(&checked.stderr));
    let (mut steps, mut bits): (BTreeMap<String, usize>, BTreeMap<String, f64>) = Default::default();
    for event in project.run() {
        let step = event["step"].as_str().unwrap_or_default().to_owned();
        if event["loss"].is_number() {
            *steps.entry(step).or_default() += 1;
        } else if let Some(value) = event["value"].as_f64().filter(|_| event["name"] == "bits_per_byte") {
            bits.insert(step, value);
        }
    }
    let flat = bits["quality"];
    for (name, ..) in BRANCHES {
        let end = bits[&format!("of_{name}")];
        println!("{name}: {end:.4} after {flat:.4} bits a byte");
        assert!(steps[*name] == 16 && end < flat - 0.01, "{name}: {end} after {flat} bits a byte");
    }
}
