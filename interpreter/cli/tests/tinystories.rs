//! A model that other tools made, under `llmp score` and `llmp generate`: the numbers and the text of transformers
//! (tests/golden/tinystories_260k.json, made by tests/python/make_tinystories_golden.py). The model itself is not part of the
//! repository: without it the test says so and passes.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

mod common;

use std::path::{Path, PathBuf};

use common::{Project, text};
use serde_json::Value;

fn model() -> Option<PathBuf> {
    let shared =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/models/tinystories-260k/hf");
    shared.is_dir().then_some(shared)
}

#[test]
fn scores_and_continues_like_transformers() {
    let Some(model) = model() else {
        eprintln!("skipped: the shared model is not here");
        return;
    };
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/tinystories_260k.json");
    let golden: Value = serde_json::from_slice(&std::fs::read(golden).unwrap()).unwrap();
    let project = Project::new();
    project.write("story.txt", golden["text"].as_str().unwrap());
    let model = model.to_str().unwrap();

    let output = project.llmp(&["score", "--model", model, "--text", "story.txt", "--format", "json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let score: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(score["tokens"], golden["tokens"]);
    let numbers =
        |v: &Value| -> Vec<f64> { v.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect() };
    let (ours, theirs) = (numbers(&score["logprobs"]), numbers(&golden["logprobs"]));
    assert_eq!(ours.len(), theirs.len());
    let worst = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(worst < 1e-4, "largest difference {worst:e}");
    assert!((score["perplexity"].as_f64().unwrap() - golden["perplexity"].as_f64().unwrap()).abs() < 1e-3);

    let prompt = golden["prompt"].as_str().unwrap();
    let count = golden["continuation_tokens"].as_array().unwrap().len().to_string();
    let args =
        ["generate", "--model", model, "--prompt", prompt, "--temperature", "0", "--max-tokens", &count];
    let output = project.llmp(&args);
    let wanted = format!("{prompt}{}", golden["continuation"].as_str().unwrap());
    assert_eq!(text(&output.stdout).trim_end(), wanted.trim_end());
}
