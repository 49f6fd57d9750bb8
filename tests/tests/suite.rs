//! The suite: programs in `tests/suite/**/*.llmp` and what must be said of them.
//!
//! A file holds several cases. `--- name check ---` opens one; lines `# error[CODE]: l:c-l:c message` (or `warning`, `info`)
//! right behind it are what the checker must say of the rest, in order, and nothing else but information.
//! `--- name plan ---` compares the plan's steps with the lines `# step op` behind it. `LLMP_UPDATE=1 cargo suite` rewrites
//! the expectations.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use llmp_grammar::diag::Severity;

/// One case of a file.
struct Case {
    name: String,
    kind: String,
    expected: Vec<String>,
    source: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("suite")
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|e| e == "llmp") {
            found.push(path);
        }
    }
    found.sort();
}

fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut in_header = false;
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("--- ").and_then(|l| l.strip_suffix(" ---")) {
            let (name, kind) = title.rsplit_once(' ').unwrap();
            cases.push(Case {
                name: name.into(),
                kind: kind.into(),
                expected: Vec::new(),
                source: String::new(),
            });
            in_header = true;
            continue;
        }
        let case = cases.last_mut().expect("a file begins with `--- name check ---`");
        match line.strip_prefix("# ") {
            Some(expected) if in_header => case.expected.push(expected.to_owned()),
            _ => {
                in_header = false;
                case.source.push_str(line);
                case.source.push('\n');
            }
        }
    }
    cases
}

/// What the tools say of a case now.
fn found(case: &Case) -> Vec<String> {
    let registry = llmp_exec::registry();
    let main = "main.llmp".to_owned();
    let (loaded, mut sink) =
        llmp_interpreter::load(&BTreeMap::from([(main.clone(), case.source.clone())]), &main);
    let (program, said) = llmp_interpreter::check(&loaded, &registry, &llmp_interpreter::Options::default());
    sink.extend(said.into_sorted());
    if case.kind == "plan" {
        let (plan, _) = llmp_interpreter::plan(&program, &registry);
        return plan.steps.iter().map(|s| format!("{} {}", plan.name(&s.id), s.op)).collect();
    }
    let line = |d: llmp_grammar::Diag| {
        let place = d.span().map_or_else(String::new, |span| {
            let at = |offset| program.sources.position(span.file, offset);
            let (start, end) = (at(span.start), at(span.end));
            format!("{}:{}-{}:{} ", start.line, start.column, end.line, end.column)
        });
        format!("{}[{}]: {place}{}", d.severity.word(), d.code, d.message)
    };
    sink.into_sorted().into_iter().filter(|d| d.severity != Severity::Info).map(line).collect()
}

#[test]
fn every_case_is_judged_as_expected() {
    let update = std::env::var_os("LLMP_UPDATE").is_some();
    let mut paths = Vec::new();
    files(&folder(), &mut paths);
    let mut names = BTreeSet::new();
    let mut wrong = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let mut rewritten = String::new();
        for case in cases(&text) {
            assert!(names.insert(case.name.clone()), "two cases are called `{}`", case.name);
            let found = found(&case);
            if found != case.expected {
                wrong.push(format!(
                    "{} ({})\n  expected {:#?}\n  found {found:#?}",
                    case.name,
                    path.display(),
                    case.expected
                ));
            }
            rewritten.push_str(&format!("--- {} {} ---\n", case.name, case.kind));
            found.iter().for_each(|line| rewritten.push_str(&format!("# {line}\n")));
            rewritten.push_str(&case.source);
        }
        if update {
            std::fs::write(&path, rewritten).unwrap();
        }
    }
    assert!(names.len() >= 10, "only {} cases", names.len());
    assert!(update || wrong.is_empty(), "{}", wrong.join("\n"));
}
