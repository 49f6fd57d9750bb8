//! `llmp check` in all its forms: machine formats, fixes, unpublished values, watching.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

mod common;

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use common::{PROGRAM, Project, text};
use serde_json::{Value, json};

/// A program with an error, a warning, a problem in an imported file, and letters outside of ASCII before a place.
fn broken() -> Project {
    let project = Project::new();
    project.write("parts/model.llmp", "llmp 1\n\nlet size: Int = 33 stepz\n");
    let main = PROGRAM
        .replace("width     = 32", "widht     = 32")
        .replace("context   = 64", "context   = 8k")
        .replace(
            "source books",
            "use { size } from \"./parts/model.llmp\"\n\nlet word = \"𝛼\" + sice\n\nsource books",
        );
    project.write("main.llmp", main);
    project
}

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

/// Keys that an object of SARIF must have, and all that ours may have.
fn object(value: &Value, required: &[&str], allowed: &[&str]) {
    let map = value.as_object().unwrap_or_else(|| panic!("not an object: {value}"));
    for key in required {
        assert!(map.contains_key(*key), "`{key}` is missing in {value:#}");
    }
    for key in map.keys() {
        assert!(required.contains(&key.as_str()) || allowed.contains(&key.as_str()), "`{key}` in {value:#}");
    }
}

fn region(value: &Value) {
    object(value, &["startLine", "startColumn", "endLine", "endColumn"], &[]);
    let at = |key: &str| value[key].as_u64().unwrap();
    assert!(at("startLine") >= 1 && at("startColumn") >= 1);
    assert!((at("startLine"), at("startColumn")) <= (at("endLine"), at("endColumn")), "{value}");
}

fn location(value: &Value) {
    object(value, &["physicalLocation"], &["message", "id"]);
    let place = &value["physicalLocation"];
    object(place, &["artifactLocation"], &["region"]);
    object(&place["artifactLocation"], &["uri"], &[]);
    assert!(!place["artifactLocation"]["uri"].as_str().unwrap().contains([' ', '\\']));
    if let Some(at) = place.get("region") {
        region(at);
    }
    if let Some(message) = value.get("message") {
        object(message, &["text"], &[]);
    }
}

#[test]
fn sarif_has_what_its_schema_asks_for() {
    let project = broken();
    project.write("a b.llmp", PROGRAM.replace("layers", "layerz"));
    let output = project.llmp(&["check", "main.llmp", "a b.llmp", "--format", "sarif"]);
    assert_eq!(output.status.code(), Some(1));
    let log: Value = serde_json::from_slice(&output.stdout).unwrap();
    object(&log, &["version", "runs"], &["$schema"]);
    assert_eq!(log["version"], "2.1.0");
    assert_eq!(log["runs"].as_array().unwrap().len(), 1);
    let run = &log["runs"][0];
    object(run, &["tool", "results"], &["columnKind"]);
    object(&run["tool"], &["driver"], &[]);
    object(&run["tool"]["driver"], &["name", "rules"], &["semanticVersion"]);
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    for rule in rules {
        let more = ["name", "shortDescription", "fullDescription", "help", "defaultConfiguration"];
        object(rule, &["id"], &more);
        object(&rule["help"], &["text", "markdown"], &[]);
        assert!(rule["help"]["markdown"].as_str().unwrap().contains("```llmp"), "{rule}");
    }
    let results = run["results"].as_array().unwrap();
    for result in results {
        let more = ["ruleId", "ruleIndex", "level", "locations", "relatedLocations", "fixes"];
        object(result, &["message"], &more);
        object(&result["message"], &["text"], &[]);
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().unwrap()));
        assert_eq!(
            rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()]["id"],
            result["ruleId"]
        );
        result["locations"].as_array().unwrap().iter().for_each(location);
        result.get("relatedLocations").into_iter().flat_map(|l| l.as_array().unwrap()).for_each(location);
        for fix in result.get("fixes").into_iter().flat_map(|f| f.as_array().unwrap()) {
            object(fix, &["artifactChanges"], &["description"]);
            for change in fix["artifactChanges"].as_array().unwrap() {
                object(change, &["artifactLocation", "replacements"], &[]);
                for replacement in change["replacements"].as_array().unwrap() {
                    object(replacement, &["deletedRegion"], &["insertedContent"]);
                    region(&replacement["deletedRegion"]);
                }
            }
        }
    }
    let uris: Vec<&str> = results
        .iter()
        .map(|r| r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().unwrap())
        .collect();
    for uri in ["main.llmp", "parts/model.llmp", "a%20b.llmp"] {
        assert!(uris.contains(&uri), "{uri}: {uris:?}");
    }
    // `let word = "𝛼" + sice`: columns count characters, not bytes.
    let sice = results.iter().find(|r| r["message"]["text"].as_str().unwrap().contains("`sice`")).unwrap();
    let at = &sice["locations"][0]["physicalLocation"]["region"];
    assert_eq!((&at["startColumn"], &at["endColumn"]), (&json!(18), &json!(22)));
}

#[test]
fn github_and_junit_name_places() {
    let project = broken();
    let github = text(&project.llmp(&["check", "main.llmp", "--format", "github"]).stdout);
    let line = github.lines().find(|l| l.contains("LLMP0102")).unwrap();
    assert!(line.starts_with("::error file=main.llmp,line="), "{line}");
    assert!(line.contains(",col=3,endColumn=8,title=LLMP0102::"), "{line}");
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
