//! Steps over the whole set in a program: they run, die at any write, leave their reports, and find what they refer to.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::{Project, text};

const STEPS: &str = r#"llmp 1

source books = text("books/*.txt")
source exam  = text("exam/*.txt", evaluation = true)

dataset clean = books
  |> dedup_exact()
  |> dedup_lines(bucket = 10 docs, more_than = 3)
  |> dedup_minhash()
  |> dedup_substring()
  |> dedup_semantic()
  |> decontaminate(against = [exam])
  |> decontaminate(against = benchmarks(["whales"]), method = lcs)
  |> split(heldout = 20%)
"#;

fn project() -> Project {
    let project = Project::new();
    project.write("main.llmp", STEPS);
    let book = std::fs::read_to_string(project.path("books/moby-dick-003.txt")).unwrap();
    let words: Vec<&str> = book.split_whitespace().collect();
    project.write("exam/one.txt", words[100..140].join(" "));
    let chapter = std::fs::read_to_string(project.path("books/moby-dick-001.txt")).unwrap();
    project.write("books/moby-dick-001b.txt", format!("{chapter} And more."));
    let question = chapter.split_whitespace().skip(50).step_by(2).take(30).collect::<Vec<_>>().join(" ");
    project.write("eval/whales.jsonl", serde_json::json!({ "text": question }).to_string());
    project
}

/// Every document and report of the store, by the file's name below it.
fn results(project: &Project) -> BTreeMap<PathBuf, Vec<u8>> {
    fn collect(folder: &Path, root: &Path, all: &mut BTreeMap<PathBuf, Vec<u8>>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, root, all);
            } else if path.extension().is_some_and(|e| e == "zst" || e == "jsonl") {
                all.insert(path.strip_prefix(root).unwrap().to_path_buf(), std::fs::read(&path).unwrap());
            }
        }
    }
    let root = project.path(".llmp/store");
    let mut all = BTreeMap::new();
    collect(&root, &root, &mut all);
    all
}

fn lines(results: &BTreeMap<PathBuf, Vec<u8>>, name: &str) -> Vec<serde_json::Value> {
    let files = results.iter().filter(|(path, _)| path.file_name().is_some_and(|own| own == name));
    let text: String = files.map(|(_, bytes)| text(bytes)).collect();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_chain_runs_and_reports_what_it_found() {
    let project = project();
    let output = project.command(&["run", "main.llmp"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let results = results(&project);
    let clusters = lines(&results, "clusters.jsonl");
    assert_eq!(clusters[0]["others"][0], "books/moby-dick-001b.txt#0", "{clusters:?}");
    let hits = lines(&results, "hits.jsonl");
    let ngram = hits.iter().find(|hit| hit["method"] == "ngram").unwrap();
    assert_eq!(
        (&ngram["document"], &ngram["set"]),
        (&"books/moby-dick-003.txt#0".into(), &"exam/one.txt".into())
    );
    let lcs = hits.iter().find(|hit| hit["method"] == "lcs").unwrap();
    assert_eq!((&lcs["document"], &lcs["set"]), (&"books/moby-dick-001.txt#0".into(), &"whales".into()));
    // Another question is another input: the step runs again, and nothing before it.
    project.write("eval/whales.jsonl", "{\"text\": \"Nothing that any book of this project holds.\"}");
    let output = project.command(&["run", "main.llmp", "--format", "json"]).output().unwrap();
    let ran = common::ran(&common::events(&output));
    assert_eq!(ran, ["clean.split"], "{}", text(&output.stderr));
}

#[test]
fn every_write_of_a_barrier_can_be_its_last() {
    let whole = project();
    assert!(whole.command(&["run", "main.llmp"]).status().unwrap().success());
    let expected = results(&whole);
    let mut deaths = 0;
    let stride = if std::env::var_os("LLMP_EVERY_WRITE").is_some() { 1 } else { 41 };
    for at in (1..).step_by(stride) {
        let project = project();
        let mut command = project.command(&["run", "main.llmp"]);
        let died = command.env("LLMP_FAILPOINT", at.to_string()).output().unwrap();
        if died.status.success() {
            break;
        }
        deaths += 1;
        assert!(project.command(&["run", "main.llmp"]).status().unwrap().success());
        assert!(results(&project) == expected, "after a death at write {at}");
    }
    assert!(deaths > 3, "only {deaths} deaths");
}
