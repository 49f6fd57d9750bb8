//! Small models of the published architectures, trained, continued, released, and decoded by `llmp`.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

mod common;

use common::{Project, text};
use serde_json::Value;

const HEAD: &str = r#"llmp 1

use { afm, gemma2, gpt2, qwen2 } from "std/arch"

source books = text("books/*.txt")

dataset clean = books |> dedup_exact() |> split(heldout = 20%)

tokenizer tok = bpe(train_on = clean, vocab = 512)
"#;

/// A model of 2 blocks with `settings`, trained for 32 steps, then 8 more that turn positions as `then` says.
fn program(like: &str, settings: &str, then: &str) -> String {
    format!(
        "{HEAD}
model small like {like} {{
  tokenizer = tok
  layers    = 2
  width     = 64
  heads     = 4
  context   = 64
{settings}
}}

pretrain run {{ model = small, data = clean, tokens = 16k, batch = 8 sequences }}

pretrain more {{ from = run, data = clean, tokens = 4k, batch = 8 sequences{then} }}

eval quality {{ model = more, suites = [bits_per_byte(clean.heldout)] }}
release out {{ model = more }}
"
    )
}

/// Runs a program; the losses of its training steps in order.
fn losses(project: &Project) -> Vec<f64> {
    let events = project.run();
    let loss = |event: &Value| event["loss"].as_f64();
    events.iter().filter_map(loss).collect()
}

fn trains(like: &str, settings: &str, then: &str, config: &[(&str, Value)]) {
    let project = Project::new();
    project.write("main.llmp", program(like, settings, then));
    let losses = losses(&project);
    let (first, last) = (losses[0], losses[losses.len() - 1]);
    assert!(losses.len() >= 30 && last < first - 0.3, "{like}: {losses:?}");
    let folder = project.path("release/out");
    let written: Value = serde_json::from_slice(&std::fs::read(folder.join("config.json")).unwrap()).unwrap();
    for (key, wanted) in config {
        assert_eq!(&written[key], wanted, "{like}: {key}");
    }
    let prompt = ["generate", "--model", "release/out", "--prompt", "The whale", "--max-tokens", "8"];
    let output = project.llmp(&prompt);
    assert!(output.status.success(), "{like}: {}", text(&output.stderr));
    assert!(text(&output.stdout).starts_with("The whale"), "{like}");
}

#[test]
fn gemma2_trains_with_its_caps_windows_and_norms() {
    let settings = "  kv_heads = 2\n  head_dim = 16\n  pattern = [local(8), global]\n  embedding_scale = 8\n  \
                    score_scale = 1/4";
    let config = [
        ("model_type", "gemma2".into()),
        ("sliding_window", 8.into()),
        ("attn_logit_softcapping", 50.0.into()),
        ("final_logit_softcapping", 30.0.into()),
    ];
    trains("gemma2", settings, "", &config);
}

#[test]
fn qwen2_trains_with_biases_and_its_context_grows_with_another_base() {
    let config = [("model_type", "qwen2".into()), ("rope_theta", 1e6.into())];
    trains("qwen2", "  kv_heads = 2\n  dropout = 10%", ", position = rope(base = 1M)", &config);
}

#[test]
fn gpt2_trains_with_learned_positions() {
    trains("gpt2", "", "", &[("model_type", "gpt2".into()), ("n_embd", 64.into())]);
}
