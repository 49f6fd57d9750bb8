//! Every code is documented with an example that raises exactly it, and one that is clean.

use super::{Checked, checked};
use crate::{Options, codes};

/// Codes whose rule lives in the runtime's kinds; their examples run with the real registry.
const ELSEWHERE: &[&str] = &[
    "LLMP0111", "LLMP0112", "LLMP0208", "LLMP0410", "LLMP0503", "LLMP0504", "LLMP0505", "LLMP0506",
    "LLMP0508", "LLMP0509", "LLMP0511", "LLMP0603", "LLMP0606", "LLMP0607", "LLMP0610", "LLMP0611",
    "LLMP0612", "LLMP0616", "LLMP0617", "LLMP0618", "LLMP0620", "LLMP0621", "LLMP0622", "LLMP0903",
];

/// Options that an example asks for: `with --set sed=3`, `with --variant smal`.
fn options(text: &str) -> Options {
    let after = |mark: &str| {
        text.split(mark).nth(1).and_then(|rest| rest.split_whitespace().next()).map(str::to_owned)
    };
    let sets =
        after("with --set ").and_then(|set| set.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned())));
    Options { variants: after("with --variant ").into_iter().collect(), sets: sets.into_iter().collect() }
}

fn run(text: &str, options: &Options) -> Checked {
    let mut files = codes::EXAMPLE_FILES.to_vec();
    files.push(("example.llmp", text));
    checked(&files, options)
}

#[test]
fn examples_raise_exactly_their_code() {
    let mut wrong = Vec::new();
    for info in codes::ALL {
        let examples = info.examples();
        assert!(examples.len() >= 2, "{} lacks examples", info.code);
        if ELSEWHERE.contains(&info.code) {
            continue;
        }
        for (index, text) in examples.iter().enumerate() {
            let checked = run(text, &options(text));
            let info_code = info.severity == llmp_grammar::Severity::Info;
            let relevant = |d: &&llmp_grammar::Diag| d.severity != llmp_grammar::Severity::Info || info_code;
            let mut found: Vec<&str> = checked.diags.iter().filter(relevant).map(|d| d.code).collect();
            if info_code && info.code != "LLMP0108" {
                found.retain(|code| *code != "LLMP0108");
            }
            found.dedup();
            let expected: Vec<&str> = if index == 0 { vec![info.code] } else { vec![] };
            if found != expected {
                let words: Vec<String> =
                    checked.diags.iter().map(|d| format!("{} {}", d.code, d.message)).collect();
                wrong.push(format!("{} example {index}: {found:?}\n{text}{}", info.code, words.join("\n")));
            }
            if index == 0 {
                let marked = text.lines().position(|l| l.contains(&format!("[{}]", info.code)));
                let line =
                    checked.diags.iter().find(|d| d.code == info.code).and_then(|d| d.span()).map(|at| {
                        (at.file, checked.loaded.sources.position(at.file, at.start).line as usize)
                    });
                let outside = options(text) != Options::default() || info.code == "LLMP0113";
                if !outside && line.map(|l| l.1) != marked.map(|m| m + 1) {
                    wrong.push(format!("{}: marked line {marked:?}, raised at {line:?}", info.code));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n----\n"));
}

#[test]
fn codes_are_sorted_and_many() {
    let all = codes::all();
    assert!(all.len() >= 60 && all.windows(2).all(|pair| pair[0].code < pair[1].code));
    assert_eq!(codes::explain("101").map(|i| i.code), Some("LLMP0101"));
    assert_eq!(codes::explain("LLMP0401").map(|i| i.name), Some("SharesMiss"));
    assert!(codes::explain("LLMP9999").is_none());
}

#[test]
fn defaults_of_the_registry_are_values_of_their_types() {
    assert_eq!(crate::registry_problems(&crate::test_registry::registry()), Vec::<String>::new());
}
