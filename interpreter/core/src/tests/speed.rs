//! Large programs: time grows with their length, and deep ones do not end the process.

use std::fmt::Write;
use std::time::{Duration, Instant};

use super::checked;
use crate::Options;

/// A program of about so many lines: chains of datasets, mixtures, models, stages and checks.
fn long(lines: usize) -> String {
    let mut text = String::from(
        "llmp 1\n\nsource books = text(\"books/*.txt\")\ntokenizer tok = bpe(train_on = books, vocab = 4096)\n",
    );
    for n in 0..lines / 20 {
        let before = if n % 50 == 0 { "books".to_owned() } else { format!("clean_{}", n - 1) };
        let _ = write!(
            text,
            "\nlet depth_{n} = {}\nsource more_{n} = text(\"more/{n}/*.txt\")\ndataset clean_{n} = {before}\n  |> detect_language()\n  |> keep_if(.lang == \"en\" and .lang_score >= 65%)\n  |> dedup_minhash()\nmix blend_{n} {{\n  clean_{n} = 70%\n  more_{n}  = rest\n}}\nmodel m_{n} {{\n  tokenizer = tok\n  layers    = depth_{n}\n  width     = 192\n  heads     = 6\n  context   = 256\n}}\npretrain run_{n} {{ model = m_{n}, data = blend_{n}, tokens = 4M }}\ncheck m_{n}.parameters > 1M else \"size\"\n",
            4 + n % 8
        );
    }
    text
}

#[allow(clippy::disallowed_methods, reason = "this test measures")]
fn time(text: &str) -> Duration {
    let started = Instant::now();
    let checked = checked(&[("main.llmp", text)], &Options::default());
    assert!(!checked.diags.iter().any(llmp_grammar::Diag::is_error), "{:?}", checked.diags.first());
    let (plan, sink) = crate::plan(&checked.program, &crate::test_registry::registry());
    assert!(sink.is_empty() && !plan.steps.is_empty());
    started.elapsed()
}

#[test]
fn time_grows_with_length_and_not_faster() {
    let (short, tall) = (long(2_000), long(10_000));
    time(&short);
    let (one, five) = (time(&short), time(&tall));
    // Five times the lines; a quadratic part would show as 25 times.
    assert!(five < one * 12, "{one:?} for 2,000 lines, {five:?} for 10,000");
}

#[test]
fn long_chains_in_any_order_are_evaluated() {
    let chain = |n: usize| format!("dataset d{n} = d{} |> dedup_minhash(bands = {})\n", n + 1, 1 + n % 9);
    let mut text = String::from("llmp 1\n");
    for n in 0..3_000 {
        text.push_str(&chain(n));
    }
    text.push_str("source d3000 = text(\"books/*.txt\")\n");
    time(&text);
}

#[test]
#[ignore = "a measurement: cargo test --release -p llmp-interpreter lines_per_second -- --ignored --nocapture"]
fn lines_per_second() {
    for lines in [2_000, 10_000, 50_000] {
        let text = long(lines);
        time(&text);
        println!("{} lines: {:?}", text.lines().count(), time(&text));
    }
}
