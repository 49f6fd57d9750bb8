//! The fences of the guide and of the built-ins' documentation are programs that check, and every shipped program is formatted.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use llmp_grammar::diag::Severity;
use llmp_interpreter::{Options, check, load, plan};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Errors and warnings of a program, and its plan hash.
fn judge(text: &str) -> (Vec<String>, String) {
    let registry = llmp_exec::registry();
    let (loaded, mut sink) = load(&BTreeMap::from([("main.llmp".to_owned(), text.to_owned())]), "main.llmp");
    let (program, said) = check(&loaded, &registry, &Options::default());
    sink.extend(said.into_sorted());
    let loud = sink.into_sorted().into_iter().filter(|d| d.severity != Severity::Info);
    let words = loud.map(|d| format!("{} {}", d.code, d.message)).collect();
    (words, plan(&program, &registry).0.hash())
}

fn fences(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Option<String> = None;
    for line in text.lines() {
        match (&mut open, line.trim()) {
            (None, "```llmp") => open = Some(String::new()),
            (Some(_), "```") => found.extend(open.take()),
            (Some(fence), _) => {
                fence.push_str(line);
                fence.push('\n');
            }
            (None, _) => {}
        }
    }
    found
}

#[test]
fn the_fences_of_the_guide_check() {
    let mut count = 0;
    for entry in std::fs::read_dir(root().join("docs/guide")).unwrap() {
        let path = entry.unwrap().path();
        // Pictures stand beside the pages.
        if path.extension().is_none_or(|e| e != "md") {
            continue;
        }
        for fence in fences(&std::fs::read_to_string(&path).unwrap()) {
            let (words, _) = judge(&fence);
            assert!(words.is_empty(), "{}: {words:?}\n{fence}", path.display());
            count += 1;
        }
    }
    assert!(count >= 6, "{count} fences");
}

#[test]
fn shipped_programs_are_formatted_and_formatting_keeps_the_plan() {
    let mut count = 0;
    for folder in ["examples", "interpreter/cli/src/commands"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|e| e != "llmp") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let formatted = llmp_grammar::format(&text).unwrap();
            assert_eq!(formatted, text, "{} is not in the one layout", path.display());
            let (words, hash) = judge(&text);
            assert!(words.is_empty(), "{}: {words:?}", path.display());
            // Another layout of the same program: no blank lines, no alignment.
            let squeezed: String =
                text.lines().filter(|l| !l.trim().is_empty()).map(|l| format!("{}\n", squeeze(l))).collect();
            assert_eq!(judge(&squeezed).1, hash, "{}", path.display());
            assert_eq!(judge(&llmp_grammar::format(&squeezed).unwrap()).1, hash, "{}", path.display());
            count += 1;
        }
    }
    assert!(count >= 3);
}

/// One blank where there are several before `=`.
fn squeeze(line: &str) -> String {
    match line.split_once(" = ") {
        Some((left, right)) if !line.contains('#') => format!("{} = {right}", left.trim_end()),
        _ => line.to_owned(),
    }
}
