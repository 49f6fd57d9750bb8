//! `llmp check` in all its forms: machine formats, fixes, unpublished values, watching.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

mod common;

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use common::{PROGRAM, Project, broken, text};
use serde_json::Value;

#[test]
fn json_short_and_human_agree() {
    let project = broken();
    let all = project.llmp(&["check", "main.llmp", "--format", "json"]);
    assert_eq!(all.status.code(), Some(1));
    let list: Vec<Value> = serde_json::from_slice(&all.stdout).unwrap();
    let short = text(&project.llmp(&["check", "main.llmp", "--format", "short"]).stdout);
    assert_eq!(short.lines().count(), list.len());
    for diag in list.iter().filter(|d| d["severity"] != "info") {
        let line = format!(
            "{}:{}:{}: {}[{}]: {}",
            diag["file"].as_str().unwrap(),
            diag["start"]["line"],
            diag["start"]["column"],
            diag["severity"].as_str().unwrap(),
            diag["code"].as_str().unwrap(),
            diag["message"].as_str().unwrap()
        );
        assert!(short.contains(&line), "{line}\n{short}");
    }
    assert!(list.iter().any(|d| d["file"] == "parts/model.llmp" && d["code"] == "LLMP0301"), "{short}");
}

#[test]
fn junit_names_every_failure() {
    let project = broken();
    let junit = project.llmp(&["check", "main.llmp", "--format", "junit"]);
    assert_eq!(junit.status.code(), Some(1));
    let junit = text(&junit.stdout);
    assert!(junit.contains("<failure type=\"LLMP0102\""), "{junit}");
    let count = |part: &str| junit.matches(part).count();
    assert_eq!(count("<failure "), count("</failure>"));
    assert!(junit.contains(&format!("failures=\"{}\"", count("<failure "))), "{junit}");
}

#[test]
fn fix_repairs_the_program_and_the_files_that_it_imports() {
    let project = Project::new();
    project.write("parts/size.llmp", "llmp 1\n\nlet base: Int = 2\nlet layers: Int = bace\n");
    let main = PROGRAM
        .replace("layers    = 2", "layers    = depth")
        .replace("width     = 32", "widht: 32")
        .replace("heads     = 2", "heads     = 3")
        .replace("source books", "use { layers as depth } from \"./parts/size.llmp\"\n\nsource books");
    project.write("main.llmp", &main);
    assert_eq!(project.llmp(&["check", "main.llmp"]).status.code(), Some(1));
    let output = project.llmp(&["check", "--fix", "main.llmp"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stderr);
    assert!(said.contains("fixes in main.llmp, parts/size.llmp"), "{said}");
    assert!(std::fs::read_to_string(project.path("parts/size.llmp")).unwrap().contains("= base"));
    let fixed = std::fs::read_to_string(project.path("main.llmp")).unwrap();
    assert!(fixed.contains("width") && !fixed.contains("widht"), "{fixed}");
    // Once more changes nothing.
    let again = project.llmp(&["check", "--fix", "main.llmp"]);
    assert!(again.status.success());
    assert_eq!(std::fs::read_to_string(project.path("main.llmp")).unwrap(), fixed);
}

/// The program with a width that no warning wants to change.
fn odd_free() -> String {
    PROGRAM.replace("width     = 32", "width     = 64")
}

#[test]
fn fix_leaves_what_it_cannot_make_better() {
    let project = Project::new();
    // No fix for this one: the file stays as it is, byte for byte.
    let main = odd_free().replace("context   = 64", "context   = \"long\"");
    project.write("main.llmp", &main);
    let output = project.llmp(&["check", "--fix", "main.llmp"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(std::fs::read_to_string(project.path("main.llmp")).unwrap(), main);
    // Bytes that are not UTF-8 are not rewritten.
    let mut bytes = odd_free().replace("layers", "layerz").into_bytes();
    bytes.extend(b"# \xff\n");
    project.write("main.llmp", &bytes);
    assert_eq!(project.llmp(&["check", "--fix", "main.llmp"]).status.code(), Some(1));
    assert_eq!(std::fs::read(project.path("main.llmp")).unwrap(), bytes);
}

#[test]
fn several_programs_are_fixed_in_one_call() {
    let project = Project::new();
    let broken = odd_free().replace("layers", "layerz");
    project.write("main.llmp", &broken);
    project.write("other.llmp", &broken);
    let output = project.llmp(&["check", "--fix", "main.llmp", "other.llmp"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for name in ["main.llmp", "other.llmp"] {
        assert_eq!(std::fs::read_to_string(project.path(name)).unwrap(), odd_free(), "{name}");
    }
}

#[test]
fn unpublished_values_are_listed() {
    let project = Project::new();
    let main = PROGRAM
        .replace("context   = 64", "context   = unpublished(64, \"a guess\")")
        .replace("tokens      = 16k", "tokens      = unpublished(16k, \"what fits\")");
    project.write("main.llmp", main);
    let output = project.llmp(&["check", "--published", "main.llmp"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let lines = text(&output.stdout);
    assert_eq!(lines.lines().count(), 2, "{lines}");
    assert!(lines.contains("64") && lines.contains("a guess") && lines.contains("main.llmp:18:"), "{lines}");
    let output = project.llmp(&["check", "--published", "main.llmp", "--format", "json"]);
    let list: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(list[1]["why"], "what fits");
}

#[test]
fn watching_checks_again_when_a_file_changes() {
    let project = Project::new();
    let mut child = project
        .command(&["check", "--watch", "main.llmp"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut until = |wanted: &str| loop {
        let line = lines.next().expect("the watcher went on").unwrap();
        if line.contains(wanted) {
            return;
        }
    };
    until("main.llmp: 0 errors");
    until("watching");
    project.write("main.llmp", PROGRAM.replace("layers", "layerz"));
    until("main.llmp: 1 error,");
    project.write("main.llmp", PROGRAM);
    until("main.llmp: 0 errors");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn every_verb_has_help_with_an_example() {
    let project = Project::new();
    let help = text(&project.llmp(&["--help"]).stdout);
    let commands = help.split("Commands:").nth(1).unwrap().split("Options:").next().unwrap();
    let verbs: Vec<&str> =
        commands.lines().filter_map(|l| l.split_whitespace().next()).filter(|v| *v != "help").collect();
    assert!(verbs.len() >= 17, "{verbs:?}");
    for verb in verbs {
        let output = project.llmp(&[verb, "--help"]);
        assert!(output.status.success());
        let help = text(&output.stdout);
        assert!(help.contains("Example") && help.contains(&format!("llmp {verb}")), "{verb}\n{help}");
        assert_eq!(project.llmp(&[verb, "--no-such-option"]).status.code(), Some(2), "{verb}");
    }
}
