//! Models in other forms: GGUF files and shards that are opened again, rounded weights, experts cut from a dense model.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

mod common;

use common::{PROGRAM, Project, ran, text};
use serde_json::Value;

/// Log-probabilities of a text by `llmp score`.
fn scores(project: &Project, model: &str) -> Vec<f64> {
    project.write("line.txt", "Call me Ishmael. Some years ago, never mind how long precisely.");
    let said = project.llmp(&["score", "--model", model, "--text", "line.txt", "--format", "json"]);
    assert!(said.status.success(), "{}", text(&said.stderr));
    let json: Value = serde_json::from_slice(&said.stdout).unwrap();
    json["logprobs"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn worst(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn releases_in_other_forms_are_opened_again() {
    let project = Project::new();
    let forms = r#"
release out   { model = run }
release f16   { model = run, dtype = f16, shard = 50_000, format = [safetensors, gguf(f32), gguf(q8_0)] }
quantize few  { from = run, method = palette(bits = 4, average = 3.5) }
release few_q { model = few, format = gguf(q4_0) }
"#;
    project.write("main.llmp", PROGRAM.replace("release out { model = run }", forms));
    project.run();
    let exact = scores(&project, "release/out");
    assert!(project.path("release/f16/model.safetensors.index.json").exists());
    let halves = worst(&exact, &scores(&project, "release/f16"));
    assert!(halves > 0.0 && halves < 0.01, "{halves}");
    assert!(worst(&exact, &scores(&project, "release/f16/f16-f32.gguf")) < 1e-5);
    let eight = worst(&exact, &scores(&project, "release/f16/f16-q8_0.gguf"));
    assert!(eight > 1e-6 && eight < 0.1, "{eight}");
    let few = worst(&exact, &scores(&project, "release/few_q/few_q-q4_0.gguf"));
    assert!(few > eight && few < 3.0, "{few}");
    assert!(!project.path("release/few_q/config.json").exists());

    // A folder and a file that others might have written.
    let again = r#"llmp 1

model folder = hf("release/f16")
model file = hf("release/f16/f16-f32.gguf")
release of_folder { model = folder }
release of_file { model = file, format = [safetensors, gguf(f32)] }
"#;
    project.write("main.llmp", again);
    let events = project.run();
    assert_eq!(ran(&events).len(), 4);
    assert!(worst(&scores(&project, "release/f16"), &scores(&project, "release/of_folder")) < 1e-9);
    assert!(worst(&exact, &scores(&project, "release/of_file")) < 1e-5);
    let (was, is) = ("release/f16/f16-f32.gguf", "release/of_file/of_file-f32.gguf");
    assert!(worst(&scores(&project, was), &scores(&project, is)) < 1e-9);
    assert_eq!(ran(&project.run()), Vec::<String>::new());

    // The lock holds what was opened.
    let locked = project.llmp(&["lock", "main.llmp"]);
    assert!(locked.status.success(), "{}", text(&locked.stderr));
    let lock = std::fs::read_to_string(project.path("llmp.lock")).unwrap();
    assert!(
        lock.contains("release/f16/f16-f32.gguf") && lock.contains("model.safetensors.index.json"),
        "{lock}"
    );
    assert!(project.llmp(&["run", "main.llmp", "--frozen"]).status.success());
    project.write("release/f16/config.json", "{}");
    let changed = project.llmp(&["run", "main.llmp", "--frozen"]);
    assert!(
        !changed.status.success() && text(&changed.stderr).contains("LLMP0112"),
        "{}",
        text(&changed.stderr)
    );
}

#[test]
fn training_goes_on_from_a_folder_whose_sizes_the_plan_does_not_know() {
    let project = Project::new();
    project.run();
    let on = r#"llmp 1

source books = text("books/*.txt")
model given = hf("release/out")
pretrain on { from = given, data = books, tokens = 2k, context = 64, batch = 8 sequences, schedule = constant(1e-3) }
release more { model = on }
"#;
    project.write("main.llmp", on.replace(", schedule = constant(1e-3)", ""));
    let said = text(&project.llmp(&["run", "main.llmp"]).stderr);
    assert!(said.contains("LLMP0703") && said.contains("the rate has no default"), "{said}");
    project.write("main.llmp", on);
    project.run();
    let moved = worst(&scores(&project, "release/out"), &scores(&project, "release/more"));
    assert!(moved > 1e-4, "{moved}");
}

#[test]
fn experts_are_cut_from_a_dense_model_and_trained() {
    let project = Project::new();
    let sparse = r#"
model sparse like small {
  experts = moe(experts = 4, active = 2, hidden = 48, shared = 1, balance = 0.01)
  init    = upcycle(from = run, reinit = 25%)
}
pretrain more { model = sparse, data = clean, tokens = 4k, batch = 8 sequences }
release out { model = run }
release moe { model = more }
"#;
    let program = PROGRAM.replace("release out { model = run }", sparse);
    project.write("main.llmp", program.replace("  context   = 64", "  context   = 64\n  qkv_bias  = true"));
    project.run();
    let config = std::fs::read_to_string(project.path("release/moe/config.json")).unwrap();
    assert!(config.contains("Qwen2MoeForCausalLM") && config.contains("\"num_experts\": 4"), "{config}");
    let (dense, moe) = (scores(&project, "release/out"), scores(&project, "release/moe"));
    assert!(worst(&dense, &moe) > 1e-4);
    assert!(moe.iter().all(|x| x.is_finite() && *x < 0.0));
}
