//! Estimates, lineage and comparisons of whole programs.

use super::{checked, planned, said};
use crate::{Options, estimates, estimates_text};

const MODEL: &str = "tokenizer tok = bpe(train_on = books, vocab = 4096)\nmodel m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }\n";

fn program(sources: &str, rest: &str) -> String {
    format!("llmp 1\n{sources}\n{MODEL}{rest}\n")
}

fn text(program: &str) -> String {
    let checked = checked(&[("main.llmp", program)], &Options::default());
    assert!(!checked.diags.iter().any(llmp_grammar::Diag::is_error), "{:#?}", checked.diags);
    let registry = crate::test_registry::registry();
    let (plan, _) = crate::plan(&checked.program, &registry);
    estimates_text(&estimates(&checked.program, &registry, &plan))
}

#[test]
fn what_a_stage_reads_is_estimated_as_ranges() {
    let sources = "source books = text(\"b/*.txt\", size = about(30M tokens))\nsource notes = text(\"n/*.txt\", size = 10M tokens, synthetic = { by = \"m\" })";
    let rest =
        "mix blend { books = 75%, notes = 25% }\npretrain run { model = m, data = blend, tokens = 40M }";
    let said = text(&program(sources, rest));
    assert!(
        said.contains("books        75% 30M tokens, 0.67 to 1.5 passes over 20M to 45M tokens"),
        "{said}"
    );
    assert!(said.contains("notes        25% 10M tokens, 1 passes over 10M tokens"), "{said}");
    assert!(said.contains("25% written by models, 1 generation from people"), "{said}");
    let filtered = program(
        sources,
        "dataset clean = books |> gopher_quality()\npretrain run { model = m, data = clean, tokens = 9M }",
    );
    assert!(
        text(&filtered).contains("at least 0.2 passes over at most 45M tokens   (books)"),
        "{}",
        text(&filtered)
    );
}

#[test]
fn published_hours_imply_a_utilisation() {
    let sources = "source books = text(\"b/*.txt\")";
    // The test's model has 12 · 4 · 192² + 4096 · 192 = 2,555,904 parameters: 6PT = 6.13e13.
    let rest = "pretrain run { model = m, data = books, tokens = 4M }\nhardware box { devices = 2, flops = 1G_FLOPS, memory = 1 GB, price_per_hour = 2 dollar, hours = { run = 34 } }";
    let rest = rest.replace("1G_FLOPS", "1B");
    let said = text(&program(sources, &rest));
    assert!(said.contains("6.13e13 as 6·P·tokens"), "{said}");
    assert!(said.contains("21.3 h on 2 devices, 42.6 device hours, 85.2 dollars"), "{said}");
    assert!(said.contains("published 34 device hours: a utilisation of 50.1% by 6·P·tokens"), "{said}");
}

#[test]
fn attributes_of_sources_are_no_part_of_the_plan() {
    let plain = planned(&program(
        "source books = text(\"b/*.txt\")",
        "pretrain run { model = m, data = books, tokens = 4M }",
    ));
    let told = "source books = text(\"b/*.txt\", size = 9M tokens, license = permissive, robots = obeyed, opt_out = honoured)";
    let told = planned(&program(told, "pretrain run { model = m, data = books, tokens = 4M }"));
    assert_eq!(plain.hash(), told.hash());
    assert_eq!(told.attributes.values().next().unwrap().len(), 4);
    let waits = "source books = text(\"b/*.txt\", awaits = true)";
    let waits = planned(&program(waits, "pretrain run { model = m, data = books, tokens = 4M }"));
    assert_ne!(plain.hash(), waits.hash());
}

#[test]
fn estimates_have_three_values_and_their_places() {
    let with = |condition: &str| {
        let rest =
            format!("check {condition} else \"no\"\npretrain run {{ model = m, data = books, tokens = 4M }}");
        let text = program("source books = text(\"b/*.txt\", size = about(9M tokens))", &rest);
        let checked = checked(&[("main.llmp", &text)], &Options::default());
        checked.diags.iter().map(|d| d.code).collect::<Vec<_>>()
    };
    assert_eq!(with("books.size > 5M tokens"), Vec::<&str>::new());
    assert_eq!(with("books.size > 14M tokens"), ["LLMP0805"]);
    assert_eq!(with("books.size / 4 in 1M tokens..4M tokens"), Vec::<&str>::new());
    assert_eq!(with("books.size > 10M tokens"), ["LLMP0806"]);
    assert_eq!(with("books.size > 10 steps"), ["LLMP0306"]);
    assert_eq!(with("run.synthetic_share <= 10%"), Vec::<&str>::new());
    assert_eq!(
        said(&program(
            "source books = text(\"b/*.txt\", size = about(9M))",
            "pretrain run { model = m, data = books, tokens = 4M }"
        )),
        ["0302 2:45"]
    );
    assert_eq!(
        said(&program(
            "source books = text(\"b/*.txt\", licens = \"MIT\")",
            "pretrain run { model = m, data = books, tokens = 4M }"
        )),
        ["0203 2:32"]
    );
    assert_eq!(
        said(&program(
            "source books = text(\"b/*.txt\")",
            "pretrain run { model = m, data = books, tokens = about(4M) }"
        )),
        ["0201 5:50"]
    );
}

#[test]
fn runs_of_a_comparison_share_their_steps() {
    let sources = "param least: Int = 50\nsource books = text(\"b/*.txt\")\nsource exam = text(\"e/*.txt\")";
    let rest = "dataset clean = books |> gopher_quality(min_doc_words = least) |> dedup_minhash()\npretrain run { model = m, data = clean, tokens = 4M }\ncompare filter {\n  of = run\n  vary = { least = [20, 50] }\n  hold = tokens\n  measure = [bits_per_byte(exam)]\n}";
    let plan = planned(&program(sources, rest));
    let size = &plan.comparisons["filter"];
    assert_eq!((size.runs, size.arms.len()), (6, 2));
    // A source and a tokenizer in common; four steps of data and six of training apart, without seeds in this registry.
    assert!(size.distinct < size.steps && size.shared() > 50, "{size:?}");
    assert_eq!(plan.steps.iter().filter(|s| s.op == "compare").count(), 1);
    let unknown = program(sources, &rest.replace("least = [20", "leest = [20"));
    assert_eq!(said(&unknown), ["0801 11:20"]);
    let wrong = program(sources, &rest.replace("[20, 50] }", "[20, true] }"));
    assert_eq!(said(&wrong), ["0802 11:10"]);
}

#[test]
fn a_mistake_across_stages_names_both_places() {
    let sources = "source books = text(\"b/*.txt\", license = \"CC-BY-NC-4.0\", size = 1M tokens)\nsource exam = text(\"e/*.txt\", evaluation = true)";
    let rest = "mix all_of_it { books = 90%, exam = 10% }\npretrain run { model = m, data = all_of_it, tokens = 60M }\nrelease out { model = run, allow_licenses = [permissive] }";
    let text = program(sources, rest);
    let checked = checked(&[("main.llmp", &text)], &Options::default());
    let found: Vec<(&str, usize)> = checked.diags.iter().map(|d| (d.code, d.labels.len())).collect();
    assert_eq!(
        found.iter().map(|f| f.0).collect::<Vec<_>>(),
        ["LLMP0404", "LLMP0406", "LLMP0409", "LLMP0409"]
    );
    assert!(found.iter().all(|f| f.1 >= 2), "{found:?}");
}

#[test]
fn joined_data_are_called_by_their_sources() {
    let words = |rest: &str| {
        let sources = "source few = text(\"f\", size = 1M tokens)\nsource books = text(\"b\", size = 1M tokens)\nsource c = text(\"c\", size = 1M tokens)\nsource d = text(\"d\", size = 1M tokens)\ndataset kept = books |> split(heldout = 10%)";
        let text = program(sources, &format!("pretrain run {{ model = m, data = {rest}, tokens = 20M }}"));
        let checked = checked(&[("main.llmp", &text)], &Options::default());
        let found = checked.diags.iter().find(|d| d.code == "LLMP0404");
        found.map(|d| (d.message.clone(), d.labels.iter().any(|l| l.text == "the size of this source")))
    };
    let said = |start: &str, times: &str, of: &str, one: bool| {
        let message =
            format!("`run` sees {start} {times} times, the limit is 4: it wants 20M tokens of at most {of}");
        Some((message, one))
    };
    assert_eq!(words("few"), said("`few`", "20", "1M", true));
    assert_eq!(words("concat([few, books])"), said("`books` and `few` together", "10", "2M", false));
    assert_eq!(
        words("concat([few, books, c, d]) |> dedup_minhash()"),
        said("the joined data of 4 sources", "5", "4M", false)
    );
    assert_eq!(words("kept.heldout"), said("`kept.heldout`", "20", "1M", true));
    assert_eq!(words("concat([kept, kept.heldout])"), said("`books`", "20", "1M", true));
    assert_eq!(words("concat([few, few])"), said("`few`", "10", "2M", true));
}
