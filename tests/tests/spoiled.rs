//! Spoiled copies of the quickstart: each mistake gets exactly its code, at its place, with a fix or a help that says what to do.
#![allow(clippy::unwrap_used, reason = "the helpers of these tests fail the test")]

use std::collections::BTreeMap;

use llmp_grammar::diag::Severity;
use llmp_grammar::{Diag, Sources};
use llmp_interpreter::{Options, check, load};

const QUICKSTART: &str = include_str!("../../examples/quickstart.llmp");

/// One mistake: the text that is replaced, by what, the code that must appear, and the text it must point at
/// (`@` marks its beginning in the replacement when it stands more than once).
struct Mistake {
    name: &'static str,
    from: &'static str,
    to: &'static str,
    code: &'static str,
    at: &'static str,
}

const fn mistake(
    name: &'static str,
    from: &'static str,
    to: &'static str,
    code: &'static str,
    at: &'static str,
) -> Mistake {
    Mistake { name, from, to, code, at }
}

const MISTAKES: &[Mistake] = &[
    mistake("misspelt member", "  width     = 192", "  widht     = 192", "LLMP0102", "widht"),
    mistake("misspelt kind", "pretrain core {", "pretain core {", "LLMP0011", "pretain"),
    mistake("misspelt name", "  data      = blend", "  data      = blnd", "LLMP0101", "blnd"),
    mistake("unknown step", "|> gopher_quality()", "|> gopher_qualty()", "LLMP0101", "gopher_qualty"),
    mistake("unknown argument", "warmup = 2%", "warm_up = 2%", "LLMP0203", "warm_up"),
    mistake("wrong unit", "batch     = 4 sequences", "batch     = 4 epochs", "LLMP0202", "4 epochs"),
    mistake("unknown unit", "batch     = 4 sequences", "batch     = 4 sequenses", "LLMP0301", "sequenses"),
    mistake("weights that miss 100%", "  speeches = rest", "  speeches = 50%", "LLMP0401", "blend"),
    mistake("unclosed brace", "  embedding = tied\n}", "  embedding = tied\n", "LLMP0002", "{"),
    mistake(
        "steps before extract_text",
        "httpd |> extract_text() |> clean",
        "httpd |> gopher_quality() |> extract_text() |> clean",
        "LLMP0207",
        "gopher_quality",
    ),
    mistake("heads that do not divide", "  heads     = 6", "  heads     = 10", "LLMP0501", "10"),
    mistake("kv_heads that do not divide", "  kv_heads  = 2", "  kv_heads  = 4", "LLMP0502", "4"),
    mistake(
        "context beyond positions",
        "  data      = blend",
        "  data      = blend\n  context   = 4096",
        "LLMP0506",
        "4096",
    ),
    mistake("YAML colon", "  layers    = 4", "  layers: 4", "LLMP0006", ":"),
    mistake("YAML True", "|> gopher_repetition()", "|> gopher_repetition(when = True)", "LLMP0009", "True"),
    mistake("cycle", "= sotu |> clean", "= speeches |> clean", "LLMP0106", "speeches"),
    mistake(
        "two items of one name",
        "# Shares count tokens.",
        "let twice = 1\nlet twice = 2\n\n# Shares count tokens.",
        "LLMP0012",
        "twice",
    ),
    mistake("member twice", "  width     = 192", "  width     = 192\n  width     = 256", "LLMP0013", "width"),
    mistake("required member missing", "  heads     = 6\n", "", "LLMP0103", "small"),
    mistake(
        "column that no step adds",
        "keep_if(.lang == \"en\" and .lang_score >= 65%)",
        "keep_if(.langue == \"en\")",
        "LLMP0105",
        ".langue",
    ),
    mistake("not one of the values", "  embedding = tied", "  embedding = shared", "LLMP0104", "shared"),
    mistake(
        "string not closed",
        "license = \"Apache-2.0\")",
        "license = \"Apache-2.0)",
        "LLMP0004",
        "\"Apache-2.0)",
    ),
    mistake("value missing", "  layers    = 4", "  layers    =", "LLMP0005", "="),
    mistake("model and from missing", "  model     = small\n", "", "LLMP0601", "core"),
    mistake("warm-up longer than the stage", "warmup = 2%", "warmup = 9M steps", "LLMP0604", "9M steps"),
    mistake(
        "check that fails",
        "small.parameters in 2M..4M",
        "small.parameters in 3M..4M",
        "LLMP0805",
        "small.parameters in 3M..4M",
    ),
    mistake(
        "steps at the end of a line",
        "= sotu |> clean |> split",
        "= sotu |> clean |>\n  split",
        "LLMP0008",
        "|>",
    ),
];

fn diagnose(text: &str) -> (Vec<Diag>, Sources) {
    let registry = llmp_exec::registry();
    let files = BTreeMap::from([("quickstart.llmp".to_owned(), text.to_owned())]);
    let (loaded, mut sink) = load(&files, "quickstart.llmp");
    let (program, said) = check(&loaded, &registry, &Options::default());
    sink.extend(said.into_sorted());
    let diags = sink.into_sorted().into_iter().filter(|d| d.severity != Severity::Info).collect();
    (diags, program.sources)
}

fn pointed_at<'t>(diag: &Diag, text: &'t str) -> &'t str {
    let span = diag.span().unwrap();
    &text[span.start as usize..span.end as usize]
}

fn line_of(offset: usize, text: &str) -> usize {
    text[..offset].matches('\n').count() + 1
}

#[test]
fn the_quickstart_itself_is_clean() {
    let (diags, sources) = diagnose(QUICKSTART);
    assert!(diags.is_empty(), "{}", llmp_grammar::render::terminal(&diags, &sources, false));
}

#[test]
fn each_mistake_gets_its_code_at_its_place() {
    let mut wrong = Vec::new();
    for m in MISTAKES {
        assert_eq!(QUICKSTART.matches(m.from).count(), 1, "{}: `{}` must stand once", m.name, m.from);
        let text = QUICKSTART.replacen(m.from, m.to, 1);
        let (diags, _) = diagnose(&text);
        let summary: Vec<String> =
            diags.iter().map(|d| format!("{} `{}` {}", d.code, pointed_at(d, &text), d.message)).collect();
        let right =
            matches!(diags.as_slice(), [d] if d.code == m.code && pointed_at(d, &text).starts_with(m.at));
        let usable = diags.iter().all(|d| d.help.is_some() || !d.fixes.is_empty());
        if !right || !usable {
            wrong.push(format!(
                "{}: wanted {} at `{}`{}\n  {summary:#?}",
                m.name,
                m.code,
                m.at,
                if usable { "" } else { ", with help" }
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {}\n{}", wrong.len(), MISTAKES.len(), wrong.join("\n"));
}

#[test]
fn several_mistakes_in_one_file_are_each_found_once() {
    let chosen = ["misspelt member", "weights that miss 100%", "unknown step", "wrong unit", "YAML colon"];
    let mut text = QUICKSTART.to_owned();
    let mut expected = Vec::new();
    for m in MISTAKES.iter().filter(|m| chosen.contains(&m.name)) {
        text = text.replacen(m.from, m.to, 1);
        expected.push((m.code, m.at));
    }
    let (diags, _) = diagnose(&text);
    let mut found: Vec<(&str, &str)> = diags.iter().map(|d| (d.code, pointed_at(d, &text))).collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn the_first_fix_of_a_mistake_removes_it() {
    let with_fix = [
        "misspelt member",
        "misspelt kind",
        "misspelt name",
        "unknown step",
        "unknown argument",
        "YAML colon",
        "unknown unit",
    ];
    for m in MISTAKES.iter().filter(|m| with_fix.contains(&m.name)) {
        let text = QUICKSTART.replacen(m.from, m.to, 1);
        let (diags, _) = diagnose(&text);
        let fix = diags.first().and_then(|d| d.fixes.first()).unwrap_or_else(|| panic!("{}: no fix", m.name));
        let mut fixed = text.clone();
        let mut edits = fix.edits.clone();
        edits.sort_by_key(|e| std::cmp::Reverse(e.span.start));
        for edit in edits {
            fixed.replace_range(edit.span.start as usize..edit.span.end as usize, &edit.replacement);
        }
        let (after, _) = diagnose(&fixed);
        let changed = line_of(diags[0].span().unwrap().start as usize, &text);
        assert!(
            after.is_empty(),
            "{} (line {changed}): {:?}",
            m.name,
            after.iter().map(|d| &d.message).collect::<Vec<_>>()
        );
    }
}
