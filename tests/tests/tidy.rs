//! The house rules that a program can see: crate edges, sizes of files, headers, codes, generated pages.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Who may know whom (docs/dev/architecture.md). An arrow to a crate allows what stands left of it too.
const EDGES: &[(&str, &[&str])] = &[
    ("llmp-grammar", &[]),
    ("llmp-stdlib", &["llmp-grammar"]),
    ("llmp-interpreter", &["llmp-grammar", "llmp-stdlib"]),
    ("llmp-lsp", &["llmp-grammar", "llmp-stdlib", "llmp-interpreter"]),
    ("llmp-data", &["llmp-stdlib"]),
    ("llmp-nn", &["llmp-stdlib"]),
    ("llmp-train", &["llmp-stdlib", "llmp-data", "llmp-nn"]),
    ("llmp-exec", &["llmp-grammar", "llmp-stdlib", "llmp-interpreter", "llmp-data", "llmp-nn", "llmp-train"]),
    ("llmp", &["llmp-grammar", "llmp-stdlib", "llmp-interpreter", "llmp-lsp", "llmp-exec"]),
];

/// Only these crates may name these packages.
const OWNED: &[(&str, &[&str])] = &[
    ("dfdx", &["llmp-nn"]),
    ("cudarc", &["llmp-nn"]),
    ("clap", &["llmp"]),
    ("indicatif", &["llmp"]),
    ("lsp-server", &["llmp-lsp", "llmp", "llmp-fuzz"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Files that git tracks or would track.
fn files(extension: &str) -> Vec<PathBuf> {
    let list = std::process::Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .unwrap();
    let names = String::from_utf8(list.stdout).unwrap();
    let found: Vec<PathBuf> = names
        .lines()
        .filter(|n| n.ends_with(extension))
        .map(|n| root().join(n))
        .filter(|p| p.exists())
        .collect();
    assert!(!found.is_empty(), "no {extension} files: is this a git checkout?");
    found
}

fn short(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

#[test]
fn crates_know_only_whom_they_may_know() {
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .unwrap();
    let mut wrong = Vec::new();
    for package in &metadata.packages {
        let name = package.name.to_string();
        for dependency in &package.dependencies {
            let target = dependency.name.as_str();
            let ours = target == "llmp" || target.starts_with("llmp-");
            if ours && name != "llmp-tests" && name != "llmp-fuzz" {
                let allowed = EDGES.iter().find(|(n, _)| *n == name).map_or(&[][..], |(_, list)| list);
                if !allowed.contains(&target) {
                    wrong.push(format!("{name} -> {target}"));
                }
            }
            if let Some((_, owners)) = OWNED.iter().find(|(p, _)| *p == target)
                && !owners.contains(&name.as_str())
            {
                wrong.push(format!("{name} -> {target}"));
            }
        }
    }
    assert!(wrong.is_empty(), "edges that docs/dev/architecture.md does not allow: {wrong:?}");
}

#[test]
fn files_fit_a_sitting_and_say_what_they_are() {
    let mut wrong = Vec::new();
    let mut lengths = Vec::new();
    for path in files(".rs") {
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = text.lines().count();
        lengths.push(lines);
        if lines > 800 {
            wrong.push(format!("{}: {lines} lines", short(&path)));
        }
        if !text.starts_with("//! ") && !text.starts_with("#!") {
            wrong.push(format!("{}: no `//!` sentence first", short(&path)));
        }
    }
    lengths.sort_unstable();
    let median = lengths[lengths.len() / 2];
    if median > 150 {
        wrong.push(format!("median length of files is {median} lines"));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn nothing_unfinished_and_no_machine_paths() {
    let marks = ["todo", "unimplemented"].map(|m| format!("{m}!("));
    let paths = ["work", "tmp", "root"].map(|p| format!("/{p}/"));
    let mut wrong = Vec::new();
    for extension in [".rs", ".md", ".llmp", ".py", ".toml", ".sh"] {
        let Ok(found) = std::panic::catch_unwind(|| files(extension)) else { continue };
        for path in found {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            for (number, line) in text.lines().enumerate() {
                let bad = marks.iter().any(|m| line.contains(m)) || paths.iter().any(|p| line.contains(p));
                if bad && !path.ends_with("tidy.rs") {
                    wrong.push(format!("{}:{}: {}", short(&path), number + 1, line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn codes_are_unique_and_documented() {
    let mut seen = BTreeSet::new();
    for info in llmp_exec::codes() {
        assert!(seen.insert(info.code), "{} twice", info.code);
        assert!(info.doc.trim().len() > 40, "{} is not documented", info.code);
    }
    assert!(seen.len() >= 30, "{} codes", seen.len());
}

#[test]
fn the_registry_names_nothing_twice_and_documents_everything() {
    let registry = llmp_exec::registry();
    assert!(registry.doubles().is_empty(), "{:?}", registry.doubles());
    let kinds = registry.all_kinds().map(|k| k.signature);
    let constructors = registry.all_families().flat_map(|f| f.members.iter().copied());
    for signature in kinds.chain(registry.all_steps()).chain(constructors) {
        assert!(!signature.doc.trim().is_empty(), "`{}` is not documented", signature.name);
        for param in signature.params {
            assert!(!param.doc.trim().is_empty(), "`{}.{}` is not documented", signature.name, param.name);
            if let Some(default) = param.default {
                let value = llmp_stdlib::literal::parse(default);
                assert!(value.is_ok(), "`{}.{}`: default `{default}`: {value:?}", signature.name, param.name);
            }
        }
    }
}

#[test]
fn every_dependency_has_its_reason() {
    let text = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let table = text.split("[workspace.dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    for line in table.lines().filter(|l| l.contains(" = ") && !l.starts_with("llmp-")) {
        assert!(line.contains("# "), "no reason beside: {line}");
    }
}
