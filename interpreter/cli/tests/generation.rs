//! Data that models write: answers of real small models, verified, scored, paired; byte for byte the same after a kill.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

mod common;

use common::{PROGRAM, Project, text};
use serde_json::Value;

const ASKS: &str = r#"source asks = jsonl("asks.jsonl", as = Prompt, columns = { prompt = Text, key = Text })
"#;

/// The suites' model, and `rest` behind it.
fn project(rest: &str) -> Project {
    let project = Project::new();
    let asks: Vec<String> = (0..40)
        .map(|n| format!("{{\"prompt\": \"How many whales did boat {n} see?\", \"key\": \"{n}\"}}"))
        .collect();
    project.write("asks.jsonl", asks.join("\n"));
    let program = PROGRAM
        .replace("context   = 64", "context   = 256")
        .replace("vocab = 512", "vocab = 512, template = plain");
    project.write("main.llmp", program.replace("release out { model = run }", &format!("{ASKS}{rest}")));
    project
}

/// The lines of an export.
fn lines(project: &Project, name: &str) -> Vec<Value> {
    let mut files: Vec<_> = std::fs::read_dir(project.path(&format!("export/{name}")))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "jsonl"))
        .collect();
    files.sort();
    let all: String = files.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    all.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn counts(events: &[Value], step: &str) -> Value {
    let funnel = events.iter().find(|e| e["event"] == "funnel" && e["funnel"]["step"] == step);
    funnel.unwrap_or_else(|| panic!("no funnel of {step}"))["funnel"].clone()
}

const SAMPLED: &str = "
dataset sampled = asks |> generate(run, n = 3, max_tokens = 24, seed = 5, system = \"Count.\", stop = [\".\"])
export answers { data = sampled, format = jsonl }
";

#[test]
fn prompts_are_answered_and_nothing_that_interrupts_changes_a_byte() {
    let whole = project(SAMPLED);
    let events = whole.run();
    let answers = lines(&whole, "answers");
    assert_eq!(answers.len(), 120);
    let sample = events.iter().find(|e| e["event"] == "progress" && e["step"] == "sampled.generate");
    assert!(sample.is_some(), "it shows how far it is");
    for (at, line) in answers.iter().enumerate() {
        assert_eq!(line["id"], format!("asks.jsonl#{}/{}", at / 3, at % 3));
        assert_eq!(line["metadata"]["key"], (at / 3).to_string());
        assert_eq!(line["metadata"]["by"], "run");
        let said = line["answer"][0]["content"].as_str().unwrap();
        assert!(!said.contains('.'), "{said:?} goes on behind its stop");
        assert!(line["metadata"]["logp"].as_f64().unwrap() < 0.0);
    }
    let said = |at: usize| answers[at]["answer"][0]["content"].as_str().unwrap().to_owned();
    assert!((0..40).any(|at| said(3 * at) != said(3 * at + 1)), "answers to one prompt are drawn one by one");
    assert_eq!(counts(&events, "sampled.generate")["documents_out"], 120);
    // Killed at writes all over the run, and on one thread.
    let other = project(SAMPLED);
    let mut deaths = 0;
    for n in 1.. {
        let died = other
            .command(&["run", "main.llmp", "--format", "json"])
            .env("LLMP_FAILPOINT", (11 + n * 7).to_string())
            .env("RAYON_NUM_THREADS", "1")
            .output()
            .unwrap();
        if died.status.success() {
            break;
        }
        assert!(text(&died.stderr).contains("failpoint: "), "{}", text(&died.stderr));
        deaths += 1;
        assert!(deaths < 200, "the run never ends");
    }
    assert!(deaths > 5, "only {deaths} deaths");
    assert_eq!(lines(&other, "answers"), answers);
    assert!(other.run().iter().all(|e| e["event"] != "finished"));
}

#[test]
fn a_committee_answers_and_the_answers_are_verified_chosen_and_paired() {
    let project = project(
        "
pretrain more { from = run, data = clean, tokens = 4k, batch = 8 sequences }
dataset sampled  = asks |> generate(committee(run, more), n = 4, max_tokens = 12)
dataset verified = sampled |> verify(regex(\"[aeiou] [a-m]\")) |> keep_if(.logp < 0)
dataset best     = verified |> keep_best(1, by = \"logp\")
dataset pairs    = verified |> best_worst_pair(by = \"logp\")
dataset agreed   = sampled |> majority_vote(result = \"[a-z]+\")
export best_out   { data = best, format = jsonl }
export pairs_out  { data = pairs, format = jsonl }
export agreed_out { data = agreed, format = jsonl }
export all_out    { data = verified, format = jsonl }
",
    );
    let events = project.run();
    let all = lines(&project, "all_out");
    assert_eq!(all.len(), 40 * 8);
    let by = |line: &Value| line["metadata"]["by"].as_str().unwrap().to_owned();
    assert!((0..8).all(|at| by(&all[at]) == if at < 4 { "run" } else { "more" }));
    let verified = all.iter().filter(|line| line["metadata"]["verified"] == true).count();
    assert!((1..320).contains(&verified), "{verified} of 320 hold the pattern");
    let logp = |line: &Value| line["metadata"]["logp"].as_f64().unwrap();
    let (best, pairs) = (lines(&project, "best_out"), lines(&project, "pairs_out"));
    assert_eq!(best.len(), 40);
    for (prompt, (chat, pair)) in best.iter().zip(&pairs).enumerate() {
        let of_prompt = &all[8 * prompt..][..8];
        let most = of_prompt.iter().map(logp).fold(f64::NEG_INFINITY, f64::max);
        let least = of_prompt.iter().min_by(|a, b| logp(a).total_cmp(&logp(b))).unwrap();
        assert_eq!((logp(chat), logp(pair)), (most, most));
        assert_eq!(chat["messages"].as_array().unwrap().last(), pair["chosen"].as_array().unwrap().last());
        assert_eq!(pair["rejected"], least["answer"]);
    }
    let votes = counts(&events, "agreed.majority_vote");
    let reasons = &votes["reasons"];
    let out = votes["documents_out"].as_u64().unwrap();
    assert_eq!(
        out + reasons["outvoted"].as_u64().unwrap_or(0) + reasons["no result"].as_u64().unwrap_or(0),
        320
    );
    assert!(
        lines(&project, "agreed_out").iter().all(|line| line["metadata"]["votes"].as_f64().unwrap() >= 0.125)
    );
    // Another filter behind it: nothing is written again.
    let program = std::fs::read_to_string(project.path("main.llmp")).unwrap();
    project.write("main.llmp", program.replace(".logp < 0", ".logp < -1"));
    let ran = common::ran(&project.run());
    assert!(
        ran.iter().any(|step| step == "verified.keep_if") && !ran.iter().any(|step| step == "sampled"),
        "{ran:?}"
    );
}

#[test]
fn models_write_judge_and_tag() {
    let project = project(
        "
dataset few     = clean |> take(4)
dataset some    = asks |> take(6)
dataset lessons = few |> synthesize(r\"Say more about: {text}\", run, per_doc = 2, max_tokens = 8)
dataset german  = some |> translate(run, to = \"de\")
dataset other   = some |> rephrase(run, n = 2)
dataset harder  = some |> evolve(run, times = 2)
dataset graded  = some |> judge(run, rubric = \"Is it clear?\")
dataset tagged  = some |> tag(run)
dataset asked   = few |> synthesize_qa(per_doc = 2, model = run, passage = 16)
export lessons_out { data = lessons, format = jsonl }
export german_out { data = german }
export other_out { data = other }
export harder_out { data = harder }
export graded_out { data = graded }
export tagged_out { data = tagged }
export asked_out { data = asked }
",
    );
    let events = project.run();
    // The context of the model is 256 tokens: a chapter does not fit, and that is said.
    let lessons = counts(&events, "lessons.synthesize");
    assert_eq!(lessons["reasons"]["prompt too long"], 4, "{lessons}");
    for step in ["german.translate", "other.rephrase", "harder.evolve", "graded.judge", "tagged.tag"] {
        let funnel = counts(&events, step);
        let reasons: u64 = funnel["reasons"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
        assert_eq!(funnel["documents_out"].as_u64().unwrap() + reasons, funnel["documents_in"], "{funnel}");
    }
}

#[test]
fn a_reward_model_scores_answers_and_the_best_stay() {
    let project = project(
        "
dataset sampled = asks |> generate(run, n = 4, max_tokens = 12)
dataset pairs   = sampled |> best_worst_pair(by = \"logp\")
reward_model judge { from = run, data = pairs, steps = 2, batch = 4 sequences }
dataset scored  = sampled |> score(judge)
dataset best    = scored |> keep_best(1)
export scored_out { data = scored, format = jsonl }
export best_out   { data = best, format = jsonl }
",
    );
    project.run();
    let (scored, best) = (lines(&project, "scored_out"), lines(&project, "best_out"));
    let score = |line: &Value| line["metadata"]["score"].as_f64().unwrap();
    assert_eq!((scored.len(), best.len()), (160, 40));
    for (of_prompt, best) in scored.chunks(4).zip(&best) {
        let most = of_prompt.iter().map(score).fold(f64::NEG_INFINITY, f64::max);
        assert_eq!(score(best), most);
    }
    assert!((1..160).any(|at| score(&scored[at]) != score(&scored[0])), "rewards differ");
}
