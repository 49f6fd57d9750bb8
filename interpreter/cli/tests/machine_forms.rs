//! What machines read of `llmp check`: SARIF against its published schema, GitHub's annotations against the text.
//!
//! `tests/golden/sarif-2.1.0.schema.json` is OASIS' schema, unchanged, as the crate serde-sarif 0.8 (MIT) carries it.
//! `tests/lsp/run sarif` asks the `jsonschema` package of Python the same.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

mod common;

use common::{PROGRAM, Project, broken, text};
use serde_json::{Value, json};

const SCHEMA: &str = include_str!("../../../tests/golden/sarif-2.1.0.schema.json");

/// Words of a schema that say nothing about a value.
const WORDS: [&str; 6] = ["$schema", "$id", "title", "description", "default", "definitions"];

/// What a value does against a schema. Every rule that the schema states is judged or the test fails.
struct Validator {
    schema: Value,
}

impl Validator {
    fn check(&self, rules: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
        for (rule, wanted) in rules.as_object().unwrap() {
            let fine = match rule.as_str() {
                word if WORDS.contains(&word) => true,
                "$ref" => {
                    let pointer = wanted.as_str().unwrap().trim_start_matches('#');
                    self.check(self.schema.pointer(pointer).unwrap(), value, at, wrong);
                    true
                }
                "type" => is(value, wanted.as_str().unwrap()),
                "enum" => wanted.as_array().unwrap().contains(value),
                "minimum" => value.as_f64().is_none_or(|n| n >= wanted.as_f64().unwrap()),
                "maximum" => value.as_f64().is_none_or(|n| n <= wanted.as_f64().unwrap()),
                "minItems" => value.as_array().is_none_or(|all| all.len() as u64 >= wanted.as_u64().unwrap()),
                "uniqueItems" => value.as_array().is_none_or(|all| {
                    wanted == false || all.iter().enumerate().all(|(n, one)| !all[..n].contains(one))
                }),
                "required" => {
                    let missing = |key: &&Value| value.get(key.as_str().unwrap()).is_none();
                    !value.is_object() || !wanted.as_array().unwrap().iter().any(|key| missing(&key))
                }
                "anyOf" | "oneOf" => {
                    let fits = |rules: &&Value| self.wrong(rules, value).is_empty();
                    let count = wanted.as_array().unwrap().iter().filter(fits).count();
                    if rule == "anyOf" { count >= 1 } else { count == 1 }
                }
                "items" => {
                    for (n, one) in value.as_array().into_iter().flatten().enumerate() {
                        self.check(wanted, one, &format!("{at}/{n}"), wrong);
                    }
                    true
                }
                "properties" => {
                    for (key, rules) in wanted.as_object().unwrap() {
                        if let Some(one) = value.get(key) {
                            self.check(rules, one, &format!("{at}/{key}"), wrong);
                        }
                    }
                    true
                }
                "additionalProperties" => {
                    let known = |key: &String| rules["properties"].get(key).is_some();
                    let mut others = value.as_object().into_iter().flatten().filter(|(key, _)| !known(key));
                    match wanted {
                        Value::Bool(allowed) => *allowed || others.next().is_none(),
                        rules => {
                            others
                                .for_each(|(key, one)| self.check(rules, one, &format!("{at}/{key}"), wrong));
                            true
                        }
                    }
                }
                "format" => value.as_str().is_none_or(|text| address(text, wanted.as_str().unwrap())),
                other => panic!("`{other}` of the schema is not judged here ({at})"),
            };
            if !fine {
                wrong.push(format!("{at}: {rule} {wanted}: {value}"));
            }
        }
    }

    fn wrong(&self, rules: &Value, value: &Value) -> Vec<String> {
        let mut wrong = Vec::new();
        self.check(rules, value, "", &mut wrong);
        wrong
    }
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        other => panic!("the type `{other}` is not judged here"),
    }
}

/// Whether a text is an address, with its scheme or without.
fn address(text: &str, format: &str) -> bool {
    let letters = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&b));
    let scheme =
        text.split_once(':').is_some_and(|(scheme, _)| scheme.bytes().all(|b| b.is_ascii_alphanumeric()));
    match format {
        "uri-reference" => letters,
        "uri" => letters && scheme,
        other => panic!("the format `{other}` is not judged here"),
    }
}

/// The same with a program beside it whose name has a blank.
fn two_broken() -> Project {
    let project = broken();
    project.write("a b.llmp", PROGRAM.replace("layers", "layerz"));
    project
}

#[test]
fn sarif_holds_against_its_schema() {
    let validator = Validator { schema: serde_json::from_str(SCHEMA).unwrap() };
    let project = two_broken();
    project.write("fine.llmp", "llmp 1\n");
    for files in [&["main.llmp", "a b.llmp"][..], &["fine.llmp"]] {
        let output = project.llmp(&[&["check", "--format", "sarif"], files].concat());
        let log: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(validator.wrong(&validator.schema, &log), Vec::<String>::new());
        assert_eq!(log["runs"][0]["results"].as_array().unwrap().is_empty(), files == ["fine.llmp"]);
    }
    // A log that is not SARIF is not taken for it.
    let output = project.llmp(&["check", "main.llmp", "--format", "sarif"]);
    let good: Value = serde_json::from_slice(&output.stdout).unwrap();
    let spoil: [(&str, Value); 6] = [
        ("/version", json!("2.0.0")),
        ("/runs/0/results/0/level", json!("fatal")),
        ("/runs/0/results/0/message", json!({})),
        ("/runs/0/results/0/locations/0/physicalLocation/artifactLocation/uri", json!("a b")),
        ("/runs/0/results/0/locations/0/physicalLocation/region/startLine", json!(0)),
        ("/runs/0/tool/driver", json!({ "name": "llmp", "colour": "red" })),
    ];
    for (place, value) in spoil {
        let mut log = good.clone();
        *log.pointer_mut(place).unwrap() = value;
        assert!(!validator.wrong(&validator.schema, &log).is_empty(), "{place}");
    }
}

#[test]
fn places_of_sarif_are_those_of_the_text() {
    let project = two_broken();
    let output = project.llmp(&["check", "main.llmp", "a b.llmp", "--format", "sarif"]);
    let log: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    let mut marked = Vec::new();
    for result in log["runs"][0]["results"].as_array().unwrap() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(rules[index]["help"]["markdown"].as_str().unwrap().contains("```llmp"), "{}", rules[index]);
        let place = &result["locations"][0]["physicalLocation"];
        let file = place["artifactLocation"]["uri"].as_str().unwrap().replace("%20", " ");
        let at = |key: &str| usize::try_from(place["region"][key].as_u64().unwrap()).unwrap();
        if at("startLine") == at("endLine") {
            marked.push(slice(&project, &file, at("startLine"), at("startColumn"), at("endColumn")));
        }
    }
    // `let word = "𝛼" + sice`: columns count characters, not bytes.
    for word in ["widht", "sice", "layerz", "8k", "stepz"] {
        assert!(marked.iter().any(|text| text == word), "{word}: {marked:?}");
    }
}

/// What stands between two columns of a line.
fn slice(project: &Project, file: &str, line: usize, from: usize, to: usize) -> String {
    let text = std::fs::read_to_string(project.path(file)).unwrap();
    text.lines().nth(line - 1).unwrap().chars().skip(from - 1).take(to - from).collect()
}

#[test]
fn github_shows_each_mistake_beside_its_line() {
    let project = two_broken();
    let github = text(&project.llmp(&["check", "main.llmp", "a b.llmp", "--format", "github"]).stdout);
    let mut found = Vec::new();
    for line in github.lines() {
        let (head, message) = line.strip_prefix("::").unwrap().split_once("::").unwrap();
        let (level, properties) = head.split_once(' ').unwrap();
        assert!(["error", "warning", "notice"].contains(&level), "{line}");
        let property =
            |name: &str| properties.split(',').find_map(|p| p.strip_prefix(name)?.strip_prefix('='));
        let number = |name: &str| property(name).and_then(|n| n.parse::<usize>().ok());
        let (Some(file), Some(at), Some(from), Some(to)) =
            (property("file"), number("line"), number("col"), number("endColumn"))
        else {
            continue;
        };
        let word = slice(&project, file, at, from, to);
        found.push((level.to_owned(), file.to_owned(), word, message.to_owned()));
    }
    for (level, file, word) in [
        ("error", "main.llmp", "widht"),
        ("error", "main.llmp", "sice"),
        ("error", "a b.llmp", "layerz"),
        ("error", "parts/model.llmp", "stepz"),
        ("warning", "main.llmp", "8k"),
    ] {
        let here =
            found.iter().find(|(l, f, w, _)| (l.as_str(), f.as_str(), w.as_str()) == (level, file, word));
        assert!(here.is_some_and(|(_, _, _, message)| message.contains(word)), "{word}: {found:?}");
    }
}
