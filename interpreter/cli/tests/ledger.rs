//! What becomes of documents can be seen: the funnel of a run, `llmp trace`, `llmp data diff`, `llmp report`.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

mod common;

use common::{Project, text};
use serde_json::Value;

/// Two sources, one of them hostile to pages, and filters that drop by a score.
fn program(most: u32) -> String {
    format!(
        r#"llmp 1

source books = text("books/*.txt", license = "CC0-1.0")
source notes = jsonl("notes.jsonl", license = "MIT", synthetic = {{ by = "some-model" }})

dataset clean = concat([books, notes])
  |> keep_if(words(.text) in 5..{most})
  |> dedup_exact()
  |> split(heldout = 20%)

tokenizer tok = bpe(train_on = clean, vocab = 512)

model small {{
  tokenizer = tok
  layers    = 1
  width     = 64
  heads     = 2
  context   = 64
}}

pretrain run {{
  model = small
  data  = clean
  steps = 2 steps
  batch = 4 sequences
}}
"#
    )
}

const HOSTILE: &str =
    "</script><script>document.body.dataset.broken = 'yes'</script><!-- & <b>five words</b> \u{2028} here";

fn project() -> Project {
    let project = Project::new();
    let note = |text: &str, url: &str| {
        format!("{}\n", serde_json::json!({ "text": text, "url": url, "stars": text.len() }))
    };
    let notes = [
        note(HOSTILE, "https://example.org/hostile?a=1&b=\"2\""),
        note("too short", "https://example.org/short"),
        note("the same five words again", "https://example.org/a"),
        note("the same  five words again", "https://example.org/b"),
        note(&format!("{} of a hostile kind that is short", HOSTILE), "https://example.org/kept"),
        "not json\n".to_owned(),
    ];
    project.write("notes.jsonl", notes.concat());
    project.write("main.llmp", program(3000));
    project
}

fn json(project: &Project, args: &[&str]) -> Value {
    let output = project.llmp(&[args, &["--format", "json"]].concat());
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {} {}", text(&output.stdout), text(&output.stderr)))
}

#[test]
fn a_run_prints_the_funnel_and_its_ledger_adds_up() {
    let project = project();
    let output = project.llmp(&["run", "main.llmp"]);
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    for words in [
        "documents",
        "clean.keep_if",
        "condition",
        "duplicate 1",
        "bad record 1",
        "held out",
        "source",
        "tokens out",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let events = project.run();
    let ledger = events.iter().find(|e| e["event"] == "ledger").unwrap();
    let rows = ledger["rows"].as_array().unwrap();
    assert!(rows.len() >= 7);
    for row in rows {
        let n = |key: &str| row[key].as_u64().unwrap();
        let dropped: u64 =
            row["reasons"].as_object().map_or(0, |r| r.values().map(|n| n.as_u64().unwrap()).sum());
        assert_eq!(n("in"), n("out") + dropped, "{row}");
        let sources = row["sources"].as_object().unwrap();
        if row["op"] != "tokenize" {
            let sum: u64 = sources.values().map(|flow| flow["out"].as_u64().unwrap()).sum();
            assert_eq!(sum, n("out"), "{row}");
        }
    }
    let dedup = rows.iter().find(|row| row["op"] == "dedup_exact").unwrap();
    assert_eq!(dedup["sources"]["notes"]["reasons"]["duplicate"], 1);
    assert_eq!(dedup["sources"]["books"]["in"], dedup["sources"]["books"]["out"]);
}

#[test]
fn a_trace_names_the_step_and_the_score_that_dropped_a_document() {
    let project = project();
    let before = project.llmp(&["trace", "notes.jsonl#1", "main.llmp"]);
    assert!(
        !before.status.success() && text(&before.stderr).contains("llmp run"),
        "{}",
        text(&before.stderr)
    );
    project.run();
    let short = json(&project, &["trace", "notes.jsonl#1", "main.llmp"]);
    assert_eq!(short["shown"][0]["dropped"][0]["step"], "clean.keep_if");
    assert_eq!(short["shown"][0]["dropped"][0]["by"], "words(.text) 2 < 5");
    assert_eq!(short["shown"][0]["source"], "notes");
    let copy = json(&project, &["trace", "https://example.org/b", "main.llmp"]);
    assert_eq!(copy["shown"][0]["dropped"][0]["reason"], "duplicate");
    assert_eq!(copy["shown"][0]["dropped"][0]["by"], "a copy of notes.jsonl#2");
    let bad = json(&project, &["trace", "notes.jsonl#5", "main.llmp"]);
    assert_eq!(bad["shown"][0]["dropped"][0]["reason"], "bad record");

    let file = json(&project, &["trace", "notes.jsonl", "main.llmp"]);
    assert_eq!(file["documents"], 6, "{file}");
    assert_eq!(file["ends"]["clean.keep_if: condition"], 1);
    let path =
        json(&project, &["trace", project.path("books/moby-dick-002.txt").to_str().unwrap(), "main.llmp"]);
    assert_eq!(path["query"]["file"], "books/moby-dick-002.txt");
    // Every document came to an end, and one that was kept for training was trained on.
    let kept =
        (2..12).map(|n| json(&project, &["trace", &format!("books/moby-dick-{n:03}.txt#0"), "main.llmp"]));
    let trained = kept.filter(|trace| trace["shown"][0]["trained"][0]["stage"] == "run").count();
    assert!(trained > 2, "{trained}");

    let nothing = project.llmp(&["trace", "https://example.org/nowhere", "main.llmp"]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(text(&nothing.stderr).contains("LLMP1306"), "{}", text(&nothing.stderr));
    let shown = project.llmp(&["trace", "notes.jsonl#1", "main.llmp"]);
    assert!(
        text(&shown.stdout).contains("dropped   by clean.keep_if: condition (words(.text) 2 < 5)"),
        "{}",
        text(&shown.stdout)
    );
}

#[test]
fn a_difference_says_which_step_lost_what() {
    let project = project();
    project.run();
    project.write("main.llmp", program(1000));
    project.run();
    let diff = json(&project, &["data", "diff", "clean@before", "clean"]);
    let one = &diff["results"][0];
    let lost = one["lost"]["documents"].as_u64().unwrap();
    assert!(lost > 0, "{one}");
    assert_eq!(one["gained"]["documents"], 0);
    assert_eq!(one["lost"]["reasons"][0]["step"], "clean.keep_if");
    assert_eq!(one["lost"]["reasons"][0]["documents"], lost);
    assert!(one["lost"]["reasons"][0]["examples"][0]["by"].as_str().unwrap().ends_with("> 1000"), "{one}");
    let back = json(&project, &["data", "diff", "clean", "clean@before"]);
    assert_eq!(back["results"][0]["gained"]["documents"], lost);
    let same = project.llmp(&["data", "diff", "runs/main/clean", "main.llmp:clean"]);
    assert_eq!(same.status.code(), Some(0), "{}", text(&same.stderr));
    let split = json(&project, &["data", "diff", "main.llmp:clean.heldout", "main.llmp:clean"]);
    assert_eq!(split["results"][0]["lost"]["reasons"][0]["reason"], "in heldout", "{split}");
    let wrong = project.llmp(&["data", "diff", "cleam", "clean"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong.stderr).contains("did you mean `clean`?"), "{}", text(&wrong.stderr));
}

#[test]
fn a_report_is_one_file_that_no_document_can_break() {
    let project = project();
    project.run();
    let output = project.llmp(&["report", "main.llmp"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout).trim(), "runs/main/report.html");
    let page = std::fs::read_to_string(project.path("runs/main/report.html")).unwrap();
    assert_eq!(page.matches("</script>").count(), 2);
    assert!(!page.contains("dataset.broken = 'yes'</script>"));
    let facts = json(&project, &["report", "main.llmp"]);
    let inside = page.split("id=\"facts\">").nth(1).unwrap().split("</script>").next().unwrap();
    assert_eq!(serde_json::from_str::<Value>(inside).unwrap(), facts);
    assert!(facts.to_string().contains("dataset.broken"));
    assert_eq!(facts["sources"][1]["license"], "MIT");
    assert_eq!(facts["sources"][1]["generation"], 1);
    let item = json(&project, &["report", "main.llmp", "books"]);
    assert_eq!(item["sources"].as_array().unwrap().len(), 1);
    let wrong = project.llmp(&["report", "main.llmp", "boks"]);
    assert!(text(&wrong.stderr).contains("did you mean `books`?"), "{}", text(&wrong.stderr));
}
