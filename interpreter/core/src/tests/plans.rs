//! Plans: which steps there are, what they are called, and what changes them.

use super::{NEWCOMER, planned, planned_with};
use crate::Options;

#[test]
fn the_newcomers_program_is_planned() {
    let plan = planned(NEWCOMER);
    let ops: Vec<&str> = plan.steps.iter().map(|s| s.op.as_str()).collect();
    let expected = [
        "text",
        "detect_language",
        "keep_if",
        "dedup_minhash",
        "split",
        "bpe",
        "tokenize",
        "pretrain",
        "eval",
        "release",
    ];
    assert_eq!(ops, expected);
    assert_eq!(plan.named("clean.keep_if").map(|s| s.op.as_str()), Some("keep_if"));
    assert_eq!(plan.named("run").map(|s| s.op.as_str()), Some("pretrain"));
    assert_eq!(plan.named("books").map(|s| s.op.as_str()), Some("text"));
    assert_eq!(plan.named("clean").map(|s| s.op.as_str()), Some("split"));
    assert_eq!(plan.roots, ["run", "quality", "stories"]);
    assert_eq!(plan.models["tiny"].parameters, 4 * 12 * 192 * 192 + 4096 * 192);
    let eval = plan.named("quality").unwrap();
    assert!(eval.inputs.iter().any(|p| p.part.as_deref() == Some("heldout")), "{eval:?}");
    assert!(plan.steps.iter().all(|s| plan.spans.contains_key(&s.id)));
    let places: Vec<usize> = plan
        .steps
        .iter()
        .map(|s| s.inputs.iter().map(|p| ops_at(&plan, &p.step)).max().unwrap_or(0))
        .collect();
    assert!(
        places.iter().enumerate().all(|(at, input)| at == 0 || *input < at),
        "inputs stand before their readers"
    );
}

fn ops_at(plan: &llmp_stdlib::Plan, id: &llmp_stdlib::StepId) -> usize {
    plan.steps.iter().position(|s| s.id == *id).unwrap()
}

#[test]
fn looks_do_not_change_the_plan() {
    let hash = planned(NEWCOMER).hash();
    let renamed = NEWCOMER
        .replace("clean", "tidy")
        .replace("tiny", "small")
        .replace("books =", "novels =")
        .replace("books |>", "novels |>");
    let commented = format!("{NEWCOMER}\n# a comment\n");
    let extracted = NEWCOMER
        .replace("vocab = 4096", "vocab = size")
        .replace("keep_if(.lang == \"en\")", "keep_if(english)")
        .replace("books |> detect", "found |> detect")
        .replace(
            "\ntokenizer tok",
            "\nlet size = 4096\nlet english = .lang == \"en\"\nlet found = books\ntokenizer tok",
        );
    let mut parts: Vec<&str> = NEWCOMER.trim_start_matches("llmp 1\n").split("\n\n").collect();
    parts.reverse();
    let reordered = format!("llmp 1\n\n{}\n", parts.join("\n\n"));
    let chained = NEWCOMER
        .replace("books |> detect_language() |> keep_if(.lang == \"en\")", "books |> english(code = \"en\")")
        .replace(
            "\ntokenizer tok",
            "\nchain english(code: Str) = detect_language() |> keep_if(.lang == code)\ntokenizer tok",
        );
    let spelled = NEWCOMER
        .replace("tokens = 4M", "tokens = 4_000_000 tokens")
        .replace("heldout = 2%", "heldout = 0.02");
    let like = NEWCOMER
        .replace("model tiny {", "model base {")
        .replace("\npretrain", "\nmodel tiny like base { layers = 2 + 2 }\n\npretrain");
    for text in [renamed, commented, extracted, reordered, chained, spelled] {
        let plan = planned(&text);
        // A release carries its name.
        assert_eq!(plan.hash(), hash, "{text}");
    }
    assert_eq!(planned(&like.replace("2 + 2", "4")).hash(), hash);
}

#[test]
fn meaning_changes_the_plan() {
    let hash = planned(NEWCOMER).hash();
    for (from, to) in [
        ("\"en\"", "\"de\""),
        ("tokens = 4M", "tokens = 5M"),
        ("layers    = 4", "layers    = 5"),
        ("2%", "3%"),
    ] {
        assert_ne!(planned(&NEWCOMER.replace(from, to)).hash(), hash, "{to}");
    }
}

#[test]
fn equal_steps_are_shared_and_unused_ones_left_out() {
    let text = NEWCOMER.replace(
        "\ntokenizer tok",
        "\ndataset again = books |> detect_language() |> keep_if(.lang == \"en\")\ndataset idle = books |> gopher_quality()\ntokenizer tok",
    );
    let plan = planned(&text);
    assert_eq!(plan.hash(), planned(NEWCOMER).hash());
    assert!(plan.named("gopher_quality").is_none());
}

#[test]
fn defaults_are_in_the_plan() {
    let plan = planned(NEWCOMER);
    let run = plan.named("run").unwrap();
    let json = run.canonical().to_string();
    assert!(json.contains("\"betas\":[\"0.9\",\"0.95\"]") && json.contains("\"ratio\":\"8/3\""), "{json}");
}

#[test]
fn a_mixture_has_exact_shares() {
    let text = NEWCOMER
        .replace("data   = clean", "data   = blend")
        .replace("\nmodel tiny", "\nsource more = text(\"more/*.txt\")\nmix blend {\n  clean = 40%\n  more = { weight = rest0, max_epochs = 4 }\n}\n\nmodel tiny");
    let plan = planned(&text.replace("rest0", "60%"));
    let json = plan.named("run").unwrap().canonical().to_string();
    assert!(json.contains("\"share\":\"0.4\"") && json.contains("\"share\":\"0.6\""), "{json}");
    let parts = text.replace("clean = 40%", "clean = 2").replace("rest0", "6");
    let json = planned(&parts).named("run").unwrap().canonical().to_string();
    assert!(json.contains("\"share\":\"0.25\"") && json.contains("\"share\":\"0.75\""), "{json}");
    let rest = text.replace("{ weight = rest0, max_epochs = 4 }", "rest");
    let json = planned(&rest).named("run").unwrap().canonical().to_string();
    assert!(json.contains("\"share\":\"0.6\""), "{json}");
}

#[test]
fn data_without_training_is_planned_as_well() {
    let plan =
        planned("llmp 1\nsource books = text(\"b/*.txt\")\ndataset clean = books |> gopher_quality()\n");
    assert_eq!(plan.roots, ["clean"]);
    assert_eq!(plan.steps.len(), 2);
}

#[test]
fn variants_and_params_reach_the_plan() {
    let text = format!(
        "{}\nparam budget: Tokens = 4M\nvariant small {{\n  run.tokens = 1M\n  run.schedule = constant(1e-3)\n  run.optimizer.weight_decay = 0.2\n}}\n",
        NEWCOMER.replace("tokens = 4M", "tokens = budget")
    );
    let base = planned(&text);
    assert_eq!(base.hash(), planned(NEWCOMER).hash());
    let options = Options { variants: vec!["small".into()], sets: vec![] };
    let json = planned_with(&text, &options).named("run").unwrap().canonical().to_string();
    assert!(json.contains("\"1000000 tokens\"") && json.contains("\"weight_decay\":\"0.2\""), "{json}");
    let options = Options { variants: vec![], sets: vec![("budget".into(), "2M".into())] };
    let json = planned_with(&text, &options).named("run").unwrap().canonical().to_string();
    assert!(json.contains("\"2000000 tokens\""), "{json}");
}

#[test]
fn steps_that_are_off_are_not_planned() {
    let text = NEWCOMER.replace("dedup_minhash()", "dedup_minhash(when = false)");
    assert!(planned(&text).named("clean.dedup_minhash").is_none());
}

/// Several sources, a chain, joined data, a mixture, a param and a check, as in the quickstart.
const WHOLE: &str = r#"llmp 1

param budget: Tokens = 1.5M tokens

source httpd = warc("data/a.warc.gz")
source sqlite = warc("data/b.warc.gz")
source perl = jsonl("data/perl.jsonl.gz")
source books = text("books/*.txt", license = "public-domain")

chain clean = detect_language()
  |> keep_if(.lang == "en" and .lang_score >= 65%)
  |> gopher_quality()
  |> dedup_minhash()

dataset web = concat([httpd, sqlite]) |> extract_text()
dataset manuals = concat([web, perl]) |> clean |> split(heldout = 5%)
dataset prose = books |> clean |> split(heldout = 5%)
dataset heldout = concat([manuals.heldout, prose.heldout])

mix blend {
  manuals = 40%
  prose   = rest
}

tokenizer tok = bpe(train_on = concat([manuals, prose]), vocab = 4096)
model small { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
check small.parameters in 2M..4M else "size"

pretrain core { model = small, data = blend, tokens = budget, batch = 4 sequences, schedule = cosine(peak = 3e-3, floor = 1%) }
eval quality { model = core, suites = [bits_per_byte(heldout)] }
release quickstart { model = core }
"#;

#[test]
fn joined_data_and_chains_are_planned() {
    let plan = planned(WHOLE);
    for name in [
        "web.extract_text",
        "manuals.keep_if",
        "manuals",
        "prose.split",
        "heldout",
        "tok",
        "core",
        "quality",
        "quickstart",
    ] {
        assert!(plan.named(name).is_some(), "{name}: {:?}", plan.names);
    }
    let joined = plan.named("heldout").unwrap();
    assert_eq!(
        joined.inputs.iter().map(|p| p.part.as_deref()).collect::<Vec<_>>(),
        [Some("heldout"), Some("heldout")]
    );
    assert_eq!(plan.steps.iter().filter(|s| s.op == "tokenize").count(), 2);
}

#[test]
fn what_the_runtime_lacks_of_a_setting_is_said_wherever_it_was_written() {
    for schedule in ["constant(0)", "still"] {
        let text = NEWCOMER.replace("4M\n", &format!("4M\n  schedule = {schedule}\n"));
        let plan = planned(&format!("{text}let still = constant(0)\n"));
        assert_eq!(plan.lacks.len(), 1, "{schedule}");
        assert!(plan.lacks[0].message.contains("a rate above 0"), "{schedule}");
    }
    assert!(planned(NEWCOMER).lacks.is_empty());
}
