//! What changes a plan and what does not, over random edits of whole programs.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::templates::ROUNDS;
use super::{NEWCOMER, checked, planned};
use crate::Options;

/// Programs and the names that they define.
const PROGRAMS: &[(&str, &[&str])] = &[
    (NEWCOMER, &["books", "clean", "tok", "tiny", "run", "quality"]),
    (
        ROUNDS,
        &[
            "LANGS",
            "rounds_in_all",
            "books",
            "wiki",
            "lang",
            "notes",
            "foreign",
            "few",
            "tok",
            "tiny",
            "core",
            "post",
            "policy",
            "seen",
            "instruct",
            "tuned",
            "aligned",
            "quality",
            "laptop",
            "i",
            "r",
        ],
    ),
];

/// A program as pieces: words and signs, and texts between quotes cut at their braces.
fn pieces(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut inside = false;
    let mut interpolated = false;
    let word = |c: char| c.is_alphanumeric() || c == '_';
    for c in text.chars() {
        let plain = inside && !interpolated;
        match (c, found.last_mut()) {
            ('"', _) if !interpolated => {
                inside = !inside;
                found.push("\"".into());
            }
            (c, Some(last)) if !matches!(c, '{' | '}') && plain && last != "\"" => last.push(c),
            (c, Some(last)) if word(c) && last.chars().all(word) && !plain => last.push(c),
            _ => {
                interpolated = inside && c == '{';
                found.push(c.to_string());
            }
        }
    }
    found
}

/// The same program under other names.
fn renamed(text: &str, names: &BTreeMap<&str, String>) -> String {
    let mut inside = false;
    let mut before = String::new();
    let mut out = String::new();
    for piece in pieces(text) {
        if piece == "\"" {
            inside = !inside;
        }
        let quoted = inside && before != "{";
        match names.get(piece.as_str()).filter(|_| !quoted) {
            Some(name) => out.push_str(name),
            None => out.push_str(&piece),
        }
        before = piece;
    }
    out
}

/// The places of top-level items.
fn items(text: &str) -> Vec<(usize, usize)> {
    let checked = checked(&[("main.llmp", text)], &Options::default());
    let spans = checked.loaded.units[0].ast.items.iter().map(|item| item.span);
    spans.map(|span| (span.start as usize, span.end as usize)).collect()
}

/// Numbers with their units, outside of quotes and of the first line.
fn numbers(text: &str) -> Vec<(usize, usize)> {
    let bytes = text.as_bytes();
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let mut found = Vec::new();
    let mut inside = false;
    let mut at = text.find('\n').unwrap_or(0);
    while at < bytes.len() {
        if bytes[at] == b'"' {
            inside = !inside;
        }
        if inside || !bytes[at].is_ascii_digit() || word(bytes[at - 1]) {
            at += 1;
            continue;
        }
        let mut end = at;
        while end < bytes.len()
            && (word(bytes[end]) || bytes[end] == b'%' || (bytes[end] == b'.' && bytes[end + 1] != b'.'))
        {
            end += 1;
        }
        if text[end..].starts_with(" steps") {
            end += " steps".len();
        }
        found.push((at, end));
        at = end;
    }
    found
}

fn program() -> impl Strategy<Value = (&'static str, &'static [&'static str])> {
    prop::sample::select(PROGRAMS)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn names_do_not_matter((text, names) in program(), which in any::<u32>(), tail in "[a-z0-9_]{1,6}") {
        let chosen = names.iter().enumerate().filter(|(n, _)| which >> n & 1 == 1);
        let to: BTreeMap<&str, String> =
            chosen.map(|(n, name)| (*name, format!("n{n}_{tail}"))).collect();
        let other = renamed(text, &to);
        prop_assert_eq!(planned(&other).hash(), planned(text).hash(), "{}", other);
    }

    #[test]
    fn order_does_not_matter((text, _) in program(), seed in any::<u64>()) {
        let mut parts: Vec<&str> = items(text).into_iter().map(|(from, to)| &text[from..to]).collect();
        let mut state = seed | 1;
        for n in (1..parts.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            parts.swap(n, (state >> 33) as usize % (n + 1));
        }
        let other = format!("llmp 1\n\n{}\n", parts.join("\n"));
        prop_assert_eq!(planned(&other).hash(), planned(text).hash(), "{}", other);
    }

    #[test]
    fn comments_do_not_matter((text, _) in program(), which in any::<u64>()) {
        let mut other = String::new();
        for (n, line) in text.lines().enumerate() {
            if which >> (n % 64) & 1 == 1 && n > 0 {
                other.push_str("# a comment, with = and \" in it\n");
            }
            other.push_str(line);
            other.push_str(if which >> ((n + 7) % 64) & 1 == 1 { "  # more\n" } else { "\n" });
        }
        prop_assert_eq!(planned(&other).hash(), planned(text).hash(), "{}", other);
    }

    #[test]
    fn a_let_in_place_of_a_number_does_not_matter((text, _) in program(), which in any::<u64>()) {
        let mut other = text.to_owned();
        for (n, (from, to)) in numbers(text).into_iter().enumerate().rev() {
            if which >> (n % 64) & 1 == 1 {
                let line = format!("let extracted_{n} = {}\n", &text[from..to]);
                other.replace_range(from..to, &format!("extracted_{n}"));
                other.push_str(&line);
            }
        }
        prop_assert_eq!(planned(&other).hash(), planned(text).hash(), "{}", other);
    }
}

#[test]
fn every_number_that_matters_changes_the_plan() {
    for (text, _) in PROGRAMS {
        let hash = planned(text).hash();
        let unimportant = text.find("\nvariant").unwrap_or(text.len());
        let mut changed = 0;
        let mut caught = 0;
        for (from, to) in numbers(text) {
            let line = text[..from].rsplit('\n').next().unwrap_or_default();
            // Checks and the length of a family of which only some are used have no part in the plan.
            let idle = line.starts_with("check") || line.starts_with("source notes[");
            if from > unimportant || idle {
                continue;
            }
            let digits: String = text[from..to].chars().take_while(char::is_ascii_digit).collect();
            let more = digits.parse::<u64>().unwrap() + 1;
            let other = format!("{}{more}{}", &text[..from], &text[from + digits.len()..]);
            let checked = checked(&[("main.llmp", &other)], &Options::default());
            if checked.diags.iter().any(llmp_grammar::Diag::is_error) {
                caught += 1;
                continue;
            }
            assert_ne!(planned(&other).hash(), hash, "{}", &text[from..to]);
            changed += 1;
        }
        assert!(changed >= 6 && caught < changed, "{changed} changed, {caught} caught");
    }
}
