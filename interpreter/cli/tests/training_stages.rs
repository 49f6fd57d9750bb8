//! Whole programs on real text whose stages do what stages can do: penalties, looks, going back, growing behind a gate,
//! averages, distillation, pruning, comparisons.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

mod common;

use common::{Project, ran, text};
use serde_json::Value as Json;

const DATA: &str = r#"llmp 1

param peak = 3e-3

source books = text("books/*.txt")
dataset clean = books |> gopher_quality(min_doc_words = 50) |> dedup_exact() |> split(heldout = 20%)
tokenizer tok = bpe(train_on = clean, vocab = 512)

model small {
  tokenizer = tok
  layers    = 2
  width     = 32
  heads     = 2
  ffn       = swiglu(hidden = 64)
  context   = 64
}

pretrain base {
  model    = small
  data     = clean
  tokens   = 8k
  batch    = 8 sequences
  schedule = cosine(peak = peak)
  z_loss   = 1e-4
  evaluate = every(25%)
  sample   = every(8 steps)
  on_spike = rewind(8 steps)
  publish  = ema(decay = 0.9)
}
"#;

const STAGES: &str = r"
pretrain long {
  from     = base
  data     = clean
  tokens   = 6k
  batch    = 4 sequences
  context  = grow(from = 64, to = 224, stages = 2, through = [192, 224], gate = needle(score = 0%))
  schedule = constant(1e-3)
  publish  = average(checkpoints(last = 3))
}

model tiny like small { layers = 1 }
distill student {
  model    = tiny
  teacher  = base
  data     = clean
  tokens   = 4k
  batch    = 8 sequences
  loss     = top1()
  z_loss   = 1e-6
  evaluate = every(100%)
}

prune smaller { from = base, keep = { ffn_hidden = 40 }, method = magnitude(), data = clean, tokens = 4k, batch = 8 sequences }

eval quality { model = smaller, suites = [bits_per_byte(clean.heldout)], require = .bits_per_byte < 8 }
release out { model = long }
";

/// The lines of a stage's metrics.
fn lines(project: &Project, stage: &str) -> Vec<Json> {
    let path = project.path(&format!("runs/main/{stage}/metrics.jsonl"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn with(lines: &[Json], key: &str) -> usize {
    lines.iter().filter(|line| line.get(key).is_some()).count()
}

#[test]
fn stages_look_grow_average_distil_and_prune_in_one_program() {
    let project = Project::new();
    project.write("main.llmp", format!("{DATA}{STAGES}"));
    let events = project.run();
    let done = ran(&events);
    for step in ["base", "long", "student", "smaller", "quality", "out"] {
        assert!(done.iter().any(|name| name == step), "{step} in {done:?}");
    }
    let base = lines(&project, "base");
    assert_eq!((base.len(), with(&base, "z_loss")), (16, 16));
    assert_eq!((with(&base, "evaluation"), with(&base, "sample")), (4, 2));
    let bits = |line: &Json| line["evaluation"]["bits_per_byte"].as_f64().unwrap();
    let first = base.iter().find(|line| line.get("evaluation").is_some()).unwrap();
    assert!(bits(&base[15]) < bits(first) && bits(first) < 9.0, "held-out text is learnt");
    let told = |kind: &str| events.iter().filter(|e| e["event"] == kind && e["step"] == "base").count();
    assert_eq!((told("metric"), told("sample")), (4 * 2, 2));
    assert_eq!(with(&lines(&project, "long"), "needle"), 2, "one test for each context");
    let student = lines(&project, "student");
    assert_eq!((with(&student, "teacher"), with(&student, "z_loss")), (student.len(), student.len()));
    assert_eq!(with(&student, "evaluation"), 1);
    let config = std::fs::read_to_string(project.path("runs/main/smaller/config.json")).unwrap();
    assert!(config.contains("\"intermediate_size\": 40"), "{config}");
    let config = std::fs::read_to_string(project.path("release/out/config.json")).unwrap();
    assert!(config.contains("\"max_position_embeddings\": 224"), "{config}");
    assert_eq!(ran(&project.run()), Vec::<String>::new());
}

#[test]
fn a_gate_that_stays_shut_fails_at_the_place_of_its_stage() {
    let project = Project::new();
    let long =
        STAGES.split("model tiny").next().unwrap().replace("score = 0%", "score = 100%, on_fail = stop");
    project.write("main.llmp", format!("{DATA}{long}"));
    let output = project.llmp(&["run", "main.llmp"]);
    assert!(!output.status.success());
    let said = text(&output.stderr);
    let words = "of 10 facts hidden in 192 tokens are found, the gate asks for 100%";
    assert!(said.contains("LLMP1201") && said.contains(words) && said.contains("pretrain long {"), "{said}");
}

#[test]
fn a_comparison_of_two_rates_runs_every_arm_with_every_seed() {
    let project = Project::new();
    let compare = "compare rates { of = base, vary = { peak = [1e-4, 3e-3] }, hold = tokens, seeds = 2, measure = [bits_per_byte(clean.heldout)] }";
    project.write("main.llmp", format!("{DATA}{compare}\n"));
    let events = project.run();
    let found = events.iter().find(|e| e["event"] == "comparison").expect("a comparison");
    let shown = found["comparison"].to_string();
    assert!(shown.contains("bits_per_byte"), "{shown}");
    let trained = events.iter().filter(|e| e["event"] == "finished" && e["op"] == "pretrain").count();
    assert!(trained >= 4, "two rates with two seeds each, not {trained} stages");
}
