//! Learning from rewards by `llmp`, and the suites that measure what came of it.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

mod common;

use common::{PROGRAM, Project, ran, text};
use serde_json::{Value, json};

const REST: &str = r#"
source chats = jsonl("chats.jsonl", as = Chat)
source pairs = jsonl("pairs.jsonl", as = Preference)
source asks  = jsonl("asks.jsonl", as = Prompt, columns = { prompt = Text, truth = Text })

dataset judged = pairs |> split(heldout = 30%)
dataset train  = asks |> split(heldout = 40%)

sft tuned { from = run, data = chats, epochs = 2, batch = 8 sequences, schedule = constant(3e-3) }
reward_model judge { from = run, data = judged, batch = 4 sequences, schedule = constant(3e-3) }

rl better {
  from       = tuned
  prompts    = train
  reward     = sum([judge, scaled(judge, by = 0.5), number(), ends(missing = -0.5, soft = 4), kl(weight = -0.05, to = from), kl(weight = -0.01, to = ema)])
  advantage  = leave_one_out(samples = 3)
  update     = clipped(inner_steps = 2, mean = token, kl = 0.01)
  steps      = 3
  batch      = 4 sequences
  max_tokens = 8
  schedule   = constant(1e-3)
}
rl adapted { from = tuned, prompts = train, reward = number(), steps = 2, batch = 4 sequences, max_tokens = 8, adapter = lora(rank = 4), schedule = constant(1e-3) }

eval of_judge  { model = judge, suites = [accuracy(judged.heldout)] }
eval of_policy { model = better, suites = [accuracy(judged.heldout)], require = .accuracy >= 0 and .accuracy_stderr < 1 }
eval wins      { model = better, suites = [win_rate(train.heldout, against = tuned, judge = run, max_tokens = 8)] }
eval same      { model = tuned, suites = [win_rate(train.heldout, against = tuned, judge = run, max_tokens = 8, length_control = true)] }
eval knows     { model = better, suites = [arc(shots = 1), mmlu(shots = 1), gsm8k(shots = 1), winogrande(shots = 0), truthfulqa()] }
release out { model = better }
release little { model = adapted }
"#;

fn lines(records: impl Iterator<Item = Value>) -> String {
    records.map(|record| format!("{record}\n")).collect()
}

/// The suites' project with a tokenizer that knows conversations, and small sets.
fn project() -> Project {
    let project = Project::new();
    let turn = |role: &str, content: String| json!({ "role": role, "content": content });
    let ask = |n: usize| format!("Which whale is number {n}?");
    let chats = (0..24)
        .map(|n| json!({ "messages": [turn("user", ask(n)), turn("assistant", format!("Number {n}."))] }));
    project.write("chats.jsonl", lines(chats));
    let pairs = (0..30).map(
        |n| json!({ "prompt": ask(n), "chosen": format!("Number {n}."), "rejected": "The sea, the sea!" }),
    );
    project.write("pairs.jsonl", lines(pairs));
    project.write("asks.jsonl", lines((0..12).map(|n| json!({ "prompt": ask(n), "truth": n.to_string() }))));
    let arc = (0..4).map(
        |n| json!({ "query": format!("Question: Is it {n}?"), "choices": ["yes", "no"], "gold": n % 2 }),
    );
    project.write("eval/arc_challenge.jsonl", lines(arc));
    let mmlu = (0..4).map(|n| {
        let split = if n == 0 { "dev" } else { "test" };
        json!({ "subject": "whales", "split": split, "question": format!("How many? {n}"), "choices": ["1", "2", "3", "4"], "answer": "B" })
    });
    project.write("eval/mmlu.jsonl", lines(mmlu));
    let sums = (0..3).map(|n| json!({ "question": format!("What is {n} + 1?"), "answer": format!("It is {n} + 1.\n#### {}", n + 1) }));
    project.write("eval/gsm8k-test.a.jsonl", lines(sums));
    let nouns = json!({ "sentence": "The boat hit the _ and sank.", "option1": "whale", "option2": "wave", "answer": "1" });
    project.write("eval/winogrande.jsonl", lines([nouns].into_iter()));
    let truth = json!({ "Question": "Are whales fish?", "Correct Answers": "No; They are not", "Incorrect Answers": "Yes" });
    project.write("eval/truthfulqa.jsonl", lines([truth].into_iter()));
    let program = PROGRAM
        .replace("vocab = 512", "vocab = 700, template = plain")
        .replace("context   = 64", "context   = 512")
        .replace("release out { model = run }", REST);
    project.write("main.llmp", program);
    project
}

fn metric(project: &Project, eval: &str, name: &str) -> f64 {
    let text = std::fs::read(project.path(&format!("runs/main/{eval}"))).unwrap();
    let report: Value = serde_json::from_slice(&text).unwrap();
    report["metrics"][name].as_f64().unwrap_or_else(|| panic!("{eval}: {report}"))
}

#[test]
fn a_model_learns_from_rewards_and_is_measured() {
    let project = project();
    let events = project.run();
    let text_of = |path: &str| std::fs::read_to_string(project.path(path)).unwrap();
    let steps: Vec<Value> = text_of("runs/main/better/metrics.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(steps.len(), 6, "three rounds of two gradient steps");
    for name in ["reward", "reward_std", "kl", "answer_tokens", "ended", "entropy"] {
        assert!(steps[0]["objective"][name].is_number(), "{name}: {}", steps[0]);
    }
    assert_eq!(steps[0]["objective"]["kl"], 0.0);
    assert!(project.path("runs/main/adapted/adapter/adapter_config.json").is_file());
    assert!(project.path("release/out/chat_template.jinja").is_file(), "it is asked as it was tuned");

    // The rejected answers are all alike: even a tiny judge tells them.
    let judge = metric(&project, "of_judge", "accuracy");
    assert!(judge > 0.9, "{judge}");
    assert!((0.0..=1.0).contains(&metric(&project, "of_policy", "accuracy")));
    assert_eq!(metric(&project, "same", "win_rate"), 0.5, "a model wins half against itself");
    assert!((0.0..=1.0).contains(&metric(&project, "wins", "win_rate")));
    for name in ["arc", "mmlu", "gsm8k", "winogrande", "truthfulqa"] {
        assert!((0.0..=1.0).contains(&metric(&project, "knows", name)), "{name}");
    }
    assert!(ran(&events).iter().any(|step| step == "better"));
    assert_eq!(ran(&project.run()), Vec::<String>::new());

    // Another question of a set: what it measures is measured again, and nothing else runs.
    let more = text_of("eval/arc_challenge.jsonl")
        + "{\"query\": \"Question: So?\", \"choices\": [\"a\", \"b\"], \"gold\": 0}\n";
    project.write("eval/arc_challenge.jsonl", more);
    assert_eq!(ran(&project.run()), ["knows"]);
    std::fs::remove_file(project.path("eval/mmlu.jsonl")).unwrap();
    let output = project.llmp(&["run", "main.llmp"]);
    assert!(text(&output.stderr).contains("--root eval=FOLDER"), "{}", text(&output.stderr));
}
