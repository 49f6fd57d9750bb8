//! Bad data: the run goes on or stops as the source says, names file and place, and loses no good document silently.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

mod common;

use std::io::Write;

use common::{Project, events, text};
use serde_json::Value;

/// A program that only reads and stores; `reader` is the source.
fn program(reader: &str) -> String {
    let head = if reader.contains("pages") { "pages" } else { "docs" };
    format!("llmp 1\n\nsource docs = {reader}\n\ndataset out = {head} |> dedup_exact()\n")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Real chapters as JSON Lines.
fn lines(project: &Project, count: usize) -> String {
    let mut names: Vec<_> =
        std::fs::read_dir(project.path("books")).unwrap().map(|e| e.unwrap().path()).collect();
    names.sort();
    let line = |p: &std::path::PathBuf| {
        format!("{}\n", serde_json::json!({ "text": std::fs::read_to_string(p).unwrap() }))
    };
    names.iter().take(count).map(line).collect()
}

struct Outcome {
    clean: bool,
    kept: u64,
    bad: Vec<String>,
    said: String,
}

fn run(project: &Project, reader: &str) -> Outcome {
    project.write("main.llmp", program(reader));
    let output = project.llmp(&["run", "main.llmp", "--format", "json"]);
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert!(matches!(output.status.code(), Some(0 | 1)), "{:?}\n{said}", output.status);
    let events = events(&output);
    let funnel = events
        .iter()
        .rfind(|e| e["event"] == "funnel" && e["funnel"]["step"].as_str().unwrap().contains("docs"));
    let kept = funnel.map_or(0, |f| f["funnel"]["documents_out"].as_u64().unwrap());
    let place = |e: &Value| {
        format!(
            "{}{}: {}",
            e["file"].as_str().unwrap(),
            e["place"].as_str().unwrap(),
            e["what"].as_str().unwrap()
        )
    };
    let bad = events.iter().filter(|e| e["event"] == "bad_record").map(place).collect();
    Outcome { clean: output.status.success(), kept, bad, said }
}

#[test]
fn a_line_that_is_not_json_is_counted_or_stops_the_run() {
    let project = Project::new();
    let good = lines(&project, 3);
    project.write("a.jsonl", format!("{good}this is not json\n{}", lines(&project, 1)));
    let outcome = run(&project, "jsonl(\"a.jsonl\")");
    assert!(outcome.clean && outcome.kept == 4, "{}", outcome.said);
    assert!(matches!(outcome.bad.as_slice(), [one] if one.starts_with("a.jsonl:4")), "{:?}", outcome.bad);
    let stopped = run(&project, "jsonl(\"a.jsonl\", on_error = stop)");
    assert!(
        !stopped.clean && stopped.said.contains("LLMP1001") && stopped.said.contains("a.jsonl:4"),
        "{}",
        stopped.said
    );
}

#[test]
fn a_truncated_gzip_keeps_what_came_before() {
    let project = Project::new();
    let whole = gzip(lines(&project, 8).as_bytes());
    project.write("a.jsonl.gz", &whole[..whole.len() * 3 / 4]);
    let outcome = run(&project, "jsonl(\"a.jsonl.gz\")");
    assert!(outcome.clean && (1..8).contains(&outcome.kept), "{}", outcome.said);
    assert!(outcome.bad.iter().any(|b| b.starts_with("a.jsonl.gz")), "{:?}", outcome.bad);
    assert!(!run(&project, "jsonl(\"a.jsonl.gz\", on_error = stop)").clean);
}

#[test]
fn text_that_is_not_utf8_and_an_empty_file_are_named() {
    let project = Project::new();
    project.write("books/bad.txt", b"good words, then \xff\xfe bytes");
    project.write("books/empty.txt", b"");
    let outcome = run(&project, "text(\"books/*.txt\")");
    assert!(outcome.clean && outcome.kept == 12, "{}", outcome.said);
    for name in ["books/bad.txt", "books/empty.txt"] {
        assert!(outcome.bad.iter().any(|b| b.starts_with(name)), "{name}: {:?}", outcome.bad);
    }
}

#[test]
fn a_warc_cut_in_half_keeps_its_first_half() {
    let project = Project::new();
    let whole = std::fs::read(common::examples().join("data/sqlite-docs.warc.gz")).unwrap();
    project.write("a.warc.gz", &whole[..whole.len() / 2]);
    let outcome = run(&project, "warc(\"a.warc.gz\")\n\ndataset pages = docs |> extract_text()");
    assert!(outcome.clean && (30..120).contains(&outcome.kept), "{} {}", outcome.kept, outcome.said);
    assert!(outcome.bad.iter().any(|b| b.starts_with("a.warc.gz")), "{:?}", outcome.bad);
}

#[test]
fn a_path_without_files_is_an_error_at_its_place() {
    let project = Project::new();
    let outcome = run(&project, "text(\"nowhere/*.txt\")");
    assert!(
        !outcome.clean && outcome.said.contains("LLMP1002") && outcome.said.contains("nowhere"),
        "{}",
        outcome.said
    );
}
