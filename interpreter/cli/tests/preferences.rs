//! A reward model and policies out of pairs, run from a program: offline, online, written losses, labelled answers.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

mod common;

use common::{PROGRAM, Project, ran, text};
use serde_json::{Value, json};

fn pairs() -> String {
    let one = |n: usize| {
        let (a, b) = (n % 7, n % 5);
        let strength = ["significantly", "better", "slightly", "negligibly"][n % 4];
        json!({ "prompt": format!("{a}+{b}?"), "chosen": (a + b).to_string(), "rejected": "no idea at all",
                "strength": strength })
    };
    let long =
        json!({ "prompt": "why?", "chosen": "so ".repeat(90), "rejected": "no", "strength": "better" });
    (0..32).map(one).chain([long]).map(|line| format!("{line}\n")).collect()
}

fn project(items: &str) -> Project {
    let project = Project::new();
    project.write("pairs.jsonl", pairs());
    project.write(
        "asks.jsonl",
        (0..6).map(|n| format!("{}\n", json!({ "prompt": format!("{n}+1?") }))).collect::<String>(),
    );
    let program = PROGRAM.replace("vocab = 512)", "vocab = 512, template = chatml)");
    let program = program.replace("release out { model = run }", items);
    let sources = "source pairs = jsonl(\"pairs.jsonl\", as = Preference)\nsource asks = jsonl(\"asks.jsonl\", as = Prompt)\n";
    project.write("main.llmp", program + sources);
    project
}

fn lines(project: &Project, stage: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(project.path(&format!("runs/main/{stage}/metrics.jsonl"))).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn pairs_make_a_judge_and_a_policy_which_goes_on_with_its_own_answers() {
    let project = project(
        "dataset some = pairs |> split(heldout = 25%)
reward_model judge { from = run, data = some, epochs = 3, batch = 8 sequences, schedule = constant(3e-3), loss = bradley_terry(margin = strength) }
prefer first { from = run, data = some, epochs = 2, batch = 8 sequences, schedule = constant(1e-3), loss = dpo(beta = 0.3, nll = 0.2) }
prefer other { from = run, data = some, epochs = 2, batch = 8 sequences, schedule = constant(1e-3), adapter = lora(rank = 4), loss = formula(-log_sigmoid(0.3 * (.chosen - .chosen_reference - .rejected + .rejected_reference))) }
prefer online { from = first, data = asks, steps = 2, batch = 4 sequences, online = sample(n = 3, by = judge, max_tokens = 6) }
release out { model = online }
release beside { model = other }
",
    );
    let run = project.run();
    let metric = |name: &str| {
        run.iter().rfind(|e| e["event"] == "metric" && e["name"] == name).and_then(|e| e["value"].as_f64())
    };
    assert!(metric("held_out_accuracy").unwrap() > 0.8, "{run:?}");
    assert!(metric("held_out_accuracy_stderr").is_some() && metric("held_out_calibration_error").is_some());
    assert_eq!(metric("records_too_long"), Some(1.0));

    let first = lines(&project, "first");
    let of = |line: &Value, name: &str| line["objective"][name].as_f64().unwrap();
    assert!(of(&first[0], "margin").abs() < 1e-3 && of(first.last().unwrap(), "margin") > 0.1, "{first:?}");
    let other = lines(&project, "other");
    assert!((other[0]["loss"].as_f64().unwrap() - 2f64.ln()).abs() < 1e-4, "an adapter begins as its base");
    assert!(project.path("runs/main/other/adapter/adapter_model.safetensors").exists());
    let online = lines(&project, "online");
    assert!(online.len() == 2 && of(&online[0], "reward_best") >= of(&online[0], "reward_worst"));

    let judge: Value =
        serde_json::from_slice(&std::fs::read(project.path("runs/main/judge/config.json")).unwrap()).unwrap();
    assert_eq!(judge["architectures"], json!(["LlamaForSequenceClassification"]));
    assert_eq!(ran(&project.run()), Vec::<String>::new());
}

#[test]
fn labelled_answers_teach_and_what_lacks_a_strength_is_refused() {
    let kto = project(
        "prefer shy { from = run, data = pairs, epochs = 1, batch = 8 sequences, loss = kto() }\nrelease out { model = shy }\n",
    );
    kto.run();
    let lines = lines(&kto, "shy");
    assert!(
        lines.len() == 9 && lines[0]["objective"]["reference_point"].as_f64().unwrap() < 1e-3,
        "{lines:?}"
    );

    let margin = project(
        "reward_model judge { from = run, data = pairs, loss = soft_labels() }\nprefer shy { from = run, data = asks, steps = 1, online = sample(n = 2, by = judge, max_tokens = 4) }\nrelease out { model = shy }\n",
    );
    let text_of = std::fs::read_to_string(margin.path("pairs.jsonl")).unwrap();
    margin.write("pairs.jsonl", text_of.replace("\"strength\"", "\"force\""));
    let refused = margin.llmp(&["run", "main.llmp", "--format", "json"]);
    assert_eq!(refused.status.code(), Some(1));
    let said = format!("{}{}", text(&refused.stdout), text(&refused.stderr));
    assert!(said.contains("the record has no `strength`"), "{said}");
}
