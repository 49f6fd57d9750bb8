//! The examples in the documentation of every diagnostic: the failing one gives exactly its code, the fixed one nothing.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

use std::collections::BTreeMap;

use llmp_grammar::Info;
use llmp_grammar::diag::Severity;
use llmp_interpreter::{Options, check, frozen, load, plan};

/// What is said of an example: codes and whether they are more than information.
fn said(text: &str) -> Vec<(String, Severity)> {
    let registry = llmp_exec::registry();
    let mut files: BTreeMap<String, String> = llmp_interpreter::codes::EXAMPLE_FILES
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    files.insert("example.llmp".into(), text.to_owned());
    if text.contains("no llmp.lock") {
        files.remove("llmp.lock");
    }
    let (loaded, mut sink) = load(&files, "example.llmp");
    let (program, more) = check(&loaded, &registry, &Options::default());
    sink.extend(more.into_sorted());
    if text.contains("with --frozen") {
        let (plan, _) = plan(&program, &registry);
        sink.extend(frozen(&plan, &registry, &loaded.locked));
    }
    sink.into_sorted().into_iter().map(|d| (d.code.to_owned(), d.severity)).collect()
}

fn failures(info: &Info) -> Vec<String> {
    let mut wrong = Vec::new();
    for example in info.examples() {
        let found = said(&example);
        let codes: Vec<&str> = found.iter().map(|(code, _)| code.as_str()).collect();
        let failing = example.contains(&format!("[{}]", info.code));
        // What the command line says has no program of its own; examples of syntax are fragments of programs.
        let with_options = example.contains("]: with --") && !example.contains("]: with --frozen");
        let fragment = info.code < "LLMP0010";
        if with_options || (fragment && !failing) {
            continue;
        }
        let loud = |(code, severity): &(String, Severity)| *severity != Severity::Info && code != "LLMP0014";
        if failing && !codes.contains(&info.code) {
            wrong.push(format!("{}: the failing example gives {codes:?}\n{example}", info.code));
        }
        if failing && !fragment && found.iter().any(|d| loud(d) && d.0 != info.code) {
            wrong.push(format!("{}: the failing example also gives {codes:?}\n{example}", info.code));
        }
        if !failing && found.iter().any(loud) {
            wrong.push(format!("{}: the fixed example gives {codes:?}\n{example}", info.code));
        }
    }
    wrong
}

#[test]
fn every_example_does_what_it_says() {
    let all = llmp_interpreter::codes::all();
    let with_examples = all.iter().filter(|info| info.examples().len() >= 2).count();
    let wrong: Vec<String> = all.iter().flat_map(|info| failures(info)).collect();
    assert!(with_examples >= 30, "only {with_examples} codes have both examples");
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}
