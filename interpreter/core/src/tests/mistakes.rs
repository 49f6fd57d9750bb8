//! Mistakes: the right code at the right place, each once, without more that follows from it.

use super::{NEWCOMER, checked, places, said, said_with};
use crate::Options;

/// The newcomer's program with one change.
fn spoiled(from: &str, to: &str) -> Vec<String> {
    assert!(NEWCOMER.contains(from), "{from}");
    said(&NEWCOMER.replacen(from, to, 1))
}

#[test]
fn the_newcomers_program_is_clean() {
    let checked = checked(&[("main.llmp", NEWCOMER)], &Options::default());
    assert_eq!(places(&checked, true), Vec::<String>::new());
}

#[test]
fn one_change_gives_one_diagnostic() {
    let cases = [
        ("layers    = 4", "layer     = 4", vec!["0102 11:3"]),
        ("layers    = 4\n", "", vec!["0103 9:7"]),
        ("tokens = 4M", "tokens = 4M steps", vec!["0202 21:12"]),
        ("tokens = 4M", "tokens = 4Mio", vec!["0301 21:13"]),
        ("tokens = 4M", "token = 4M", vec!["0102 21:3"]),
        ("detect_language()", "detect_langauge()", vec!["0101 5:26"]),
        ("detect_language() |> ", "", vec!["0105 5:34"]),
        ("text(\"books/*.txt\")", "warc(\"books/*.gz\")", vec!["0207 5:26"]),
        ("heads     = 6", "heads     = 7", vec!["0501 13:15", "0502 14:15"]),
        ("kv_heads  = 2", "kv_heads  = 4", vec!["0502 14:15"]),
        ("dataset clean = books", "dataset clean = clean", vec!["0106 5:17"]),
        ("model tiny", "model run", vec!["0012 18:10"]),
        ("dedup_minhash()", "dedup_minhash", vec!["0213 5:73"]),
        ("dedup_minhash()", "dedup_minhash(14, 15)", vec!["0204 5:91"]),
        ("dedup_minhash()", "dedup_minhash(band = 14)", vec!["0203 5:87"]),
        ("dedup_minhash()", "dedup_minhash(bands = 14, bands = 15)", vec!["0203 5:99"]),
        (", vocab = 4096", "", vec!["0203 7:17"]),
        ("vocab = 4096", "vocab = \"4096\"", vec!["0201 7:47"]),
        ("vocab = 4096", "vocab = -4096", vec!["0209 7:47"]),
        ("vocab = 4096", "vocab = 4.5", vec!["0201 7:47"]),
        ("vocab = 4096", "vocab = 8k", vec!["0303 7:47"]),
        ("model  = tiny", "model  = tiny0", vec!["0101 19:12"]),
        ("model  = tiny", "model  = books", vec!["0201 19:12"]),
        ("model  = tiny\n", "", vec!["0601 18:10"]),
        ("data   = clean", "data   = tiny", vec!["0201 20:12"]),
        ("tokens = 4M", "tokens = 4M\n  steps = 10", vec!["0602 22:11"]),
        ("tokens = 4M", "tokens = 4M\n  schedule = cosine(peak = 3e-4, warmup = 200)", vec!["0302 22:43"]),
        ("tokens = 4M", "tokens = 4M\n  schedule = cosin(peak = 3e-4)", vec!["0104 22:14"]),
        ("tokens = 4M", "tokens = 4M\n  precision = f64", vec!["0104 22:15"]),
        ("tokens = 4M", "tokens = 4M\n  precision = \"f32\"", vec!["0201 22:15"]),
        ("tokens = 4M", "tokens = 4M + 2 steps", vec!["0202 21:17"]),
        (".lang == \"en\"", ".lang == 3", vec!["0205 5:55"]),
        (".lang == \"en\"", ".lang", vec!["0201 5:55"]),
        (".lang == \"en\"", ".lang in \"en\"", vec!["0205 5:64"]),
        (".lang == \"en\"", "lang == \"en\"", vec!["0101 5:55"]),
        (".lang == \"en\"", "0.1 < .lang_score < 0.5", vec!["0205 5:55"]),
        (".lang == \"en\"", "count(.text) > 2", vec!["0203 5:55"]),
        (".lang == \"en\"", "word(.text) > 2", vec!["0101 5:55"]),
        ("bits_per_byte(clean.heldout)", "bits_per_byte(clean.held)", vec!["0102 24:61"]),
        ("model tiny {", "model tiny = {", vec!["0201 9:7"]),
        ("source books = text", "sources books = text", vec!["0011 3:1"]),
        ("kv_heads  = 2", "kv_heads  = 2\n  kv_heads  = 3", vec!["0013 15:3"]),
    ];
    let mut wrong = Vec::new();
    for (from, to, expected) in cases {
        let found = spoiled(from, to);
        if found != expected {
            wrong.push(format!("{from} -> {to}\n  found    {found:?}\n  expected {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn several_mistakes_are_each_said_once() {
    let text = NEWCOMER
        .replace("detect_language()", "detect_langauge()")
        .replace("vocab = 4096", "vocabulary = 4096")
        .replace("heads     = 6", "heads     = 7")
        .replace("tokens = 4M", "tokens = 4M\n  precision = f64");
    assert_eq!(said(&text), ["0101 5:26", "0203 7:39", "0501 13:15", "0502 14:15", "0104 22:15"]);
}

#[test]
fn a_wrong_value_is_silent_where_it_is_used() {
    let text = "let size = 4 + true\nlet twice = size * 2\ncheck twice > 3 else \"big\"\n";
    assert_eq!(said(text), ["0205 2:12"]);
    assert_eq!(said("param n: Int = \"a\"\ncheck n > 1 else \"n\"\n"), ["0201 2:16"]);
    let text = "source a = text(3)\ndataset b = a |> split(heldout = 1%)\ntokenizer t = bpe(train_on = b.heldout, vocab = 64)\n";
    assert_eq!(said(text), ["0201 2:17"]);
}

#[test]
fn fixes_can_be_applied() {
    let cases = [
        ("tokens = 4M", "tokens = 4Mio", None),
        ("detect_language()", "detect_langauge()", Some("detect_language()")),
        ("layers    = 4", "layesr    = 4", Some("layers    = 4")),
        ("detect_language() |> ", "", Some("detect_language() |> keep_if")),
        ("text(\"books/*.txt\")", "warc(\"books/*.gz\")", Some("extract_text() |> detect_language")),
        ("model  = tiny\n", "", None),
        ("vocab = 4096", "vocab = 8k", Some("vocab = 8Ki")),
        ("  tokenizer = tok\n", "", Some("context   = 256\n  tokenizer = tok")),
        (
            "dedup_minhash()",
            "gopher_quality(min_doc_words = 200_000)",
            Some("gopher_quality(min_doc_words = 200_000, max_doc_words = 10)"),
        ),
    ];
    for (from, to, wanted) in cases {
        let mut text = NEWCOMER.replacen(from, to, 1);
        let checked = checked(&[("main.llmp", &text)], &Options::default());
        let fix = checked.diags.iter().flat_map(|d| &d.fixes).next();
        let Some(wanted) = wanted else { continue };
        let fix = fix.unwrap_or_else(|| panic!("no fix for {to:?}: {:?}", checked.diags));
        for edit in &fix.edits {
            text.replace_range(edit.span.range(), &edit.replacement);
        }
        assert!(text.contains(wanted), "{text}");
    }
}

#[test]
fn mixtures_add_up() {
    let program = |mix: &str| {
        let text = NEWCOMER.replace("data   = clean", "data   = blend");
        text.replace(
            "\nmodel tiny",
            &format!("\nsource more = text(\"m/*.txt\")\nmix blend {{ {mix} }}\n\nmodel tiny"),
        )
    };
    let cases = [
        ("clean = 40%, more = 60%", vec![]),
        ("clean = 40%, more = rest", vec![]),
        ("clean = 1, more = 3", vec![]),
        ("clean = 40%, more = 50%", vec!["0401 10:5"]),
        ("clean = 0.4%, more = 0.6%", vec!["0401 10:5"]),
        ("clean = rest, more = rest", vec!["0402 10:34"]),
        ("clean = 100%, more = rest", vec!["0402 10:34"]),
        ("clean = 2, more = rest", vec!["0402 10:31"]),
        ("clean = 0%, more = 100%", vec!["0403 10:21"]),
        ("clean = 40%, more = 0.6", vec!["0304 10:33"]),
        ("clean = 40%, mor = 60%", vec!["0101 10:26"]),
        ("clean = 40%, tok = 60%", vec!["0201 10:26"]),
        ("clean = 40%, more = { weight = 60%, max_epochs = 4 }", vec![]),
        ("clean = 40%, more = { weight = 60%, epochs = 4 }", vec!["0102 10:49"]),
        ("clean = 40%, more = unpublished(60%, \"a guess\")", vec![]),
    ];
    let mut wrong = Vec::new();
    for (mix, expected) in cases {
        let found = said(&program(mix));
        if found != expected {
            wrong.push(format!("{mix}\n  found    {found:?}\n  expected {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn imports_are_followed() {
    let data = "llmp 1\nsource crawl = text(\"c/*.txt\")\nchain tidy(least: Int = 3) = gopher_quality(min_doc_words = least)\n";
    let tail = "tokenizer tok = bpe(train_on = clean, vocab = 64)\ndataset clean = ";
    let run = |head: &str, value: &str| {
        let text = format!("llmp 1\n{head}\n{tail}{value}\n");
        let checked = checked(&[("main.llmp", &text), ("lib/data.llmp", data)], &Options::default());
        places(&checked, false)
    };
    assert_eq!(
        run("use { crawl, tidy } from \"./lib/data.llmp\"", "crawl |> tidy(least = 4)"),
        Vec::<String>::new()
    );
    assert_eq!(run("use lib from \"./lib/data.llmp\"", "lib.crawl |> lib.tidy"), Vec::<String>::new());
    assert_eq!(run("use { crawl, tidi } from \"./lib/data.llmp\"", "crawl |> tidi"), ["0110 2:14"]);
    assert_eq!(run("use { crawl } from \"./lib/dat.llmp\"", "crawl"), ["0109 2:20"]);
    assert_eq!(
        run("use { crawl, tidy } from \"./lib/data.llmp\"", "crawl |> tidy(leest = 4)"),
        ["0203 4:31"]
    );
    assert_eq!(
        run("use { crawl, tidy } from \"./lib/data.llmp\"", "crawl |> tidy(least = \"4\")"),
        ["0201 4:39"]
    );
}

#[test]
fn overrides_are_checked() {
    let text = format!(
        "{NEWCOMER}param seed: Int in 1..9 = 3\ncheck seed > 0 else \"seed\"\nvariant small {{\n  run.tokens = 1M\n  tiny.heads = 7\n}}\n"
    );
    assert_eq!(said(&text), ["0501 30:16"], "variants that are not chosen are checked too");
    let options = |sets: &[(&str, &str)], variants: &[&str]| Options {
        sets: sets.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        variants: variants.iter().map(|v| (*v).to_owned()).collect(),
    };
    let text = text.replace("tiny.heads = 7", "run.precision = bf16");
    assert_eq!(said_with(&text, &options(&[], &[])), Vec::<String>::new());
    assert_eq!(said_with(&text, &options(&[("sed", "4")], &[])), ["0801 1:1"]);
    assert_eq!(said_with(&text, &options(&[("seed", "40")], &[])), ["0802 1:1"]);
    assert_eq!(said_with(&text, &options(&[("seed", "x y")], &[])), ["0802 1:1"]);
    assert_eq!(said_with(&text, &options(&[], &["smal"])), ["0804 1:1"]);
    assert_eq!(said(&text.replace("run.tokens = 1M", "run.tokns = 1M")), ["0803 29:3"]);
    assert_eq!(said(&text.replace("run.tokens = 1M", "rum.tokens = 1M")), ["0803 29:3"]);
    let twice = format!("{text}variant other {{ run.tokens = 2M }}\n");
    assert_eq!(said_with(&twice, &options(&[], &["small", "other"])), ["0803 32:17"]);
}

#[test]
fn no_text_makes_the_checker_panic_or_pass_over_an_error() {
    let words: Vec<&str> = NEWCOMER.split_inclusive([' ', '\n', '(', ')', '=', '.', ',']).collect();
    let options = Options::default();
    for index in 0..words.len() {
        for replacement in ["", "x", "3 ", "clean ", "= ", "run."] {
            let mut text = words[..index].concat();
            text.push_str(replacement);
            text.push_str(&words[index + 1..].concat());
            let checked = checked(&[("main.llmp", &text)], &options);
            let (plan, sink) = crate::plan(&checked.program, &crate::test_registry::registry());
            if !checked.diags.iter().any(llmp_grammar::Diag::is_error) {
                assert!(sink.is_empty(), "{text}\n{sink:?}");
                assert!(!plan.steps.is_empty(), "{text}");
            }
        }
    }
}

#[test]
fn a_column_outside_of_a_row_never_leads_in_a_circle() {
    for value in [
        "if keep_if(.lang == \"en\") then 1 else 2",
        "if .a then 1 else 2",
        "\"{.a}\"",
        "[if .a then 1 else 2]",
        "-(if .a then 1 else 2)",
    ] {
        assert!(!said(&format!("let x = {value}\ncheck x == 1 else \"x\"\n")).is_empty(), "{value}");
    }
}
