//! Losses of the library that are written out: equal to the built-in ones, and what they ask of a stage.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;

use llmp_interpreter::{Options, check, load};
use llmp_stdlib::{Arg, Plan, Value};
use llmp_train::kinds::prefer::PreferLoss;
use llmp_train::losses::{Pair, Side, Whole, pair_loss};

const BASE: &str = "llmp 1
use { written_dpo, written_ipo, written_simpo, written_orpo } from \"std/losses\"
source books = text(\"books/*.txt\")
source pairs = jsonl(\"pairs.jsonl\", as = Preference)
tokenizer tok = bpe(train_on = books, vocab = 4096, template = chatml)
model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
pretrain base { model = m, data = books, tokens = 4M }
";

/// The plan of a program that ends with these items.
fn plan(rest: &str) -> Plan {
    let registry = llmp_exec::registry();
    let files: BTreeMap<String, String> = [("example.llmp".to_owned(), format!("{BASE}{rest}"))].into();
    let (loaded, sink) = load(&files, "example.llmp");
    let (program, said) = check(&loaded, &registry, &Options::default());
    let words: Vec<String> = sink
        .into_sorted()
        .into_iter()
        .chain(said.into_sorted())
        .filter(|d| d.severity == llmp_grammar::diag::Severity::Error)
        .map(|d| format!("{} {}", d.code, d.message))
        .collect();
    assert_eq!(words, Vec::<String>::new(), "{rest}");
    llmp_interpreter::plan(&program, &registry).0
}

fn loss(text: &str) -> PreferLoss {
    let reference = if text.contains("simpo") || text.contains("orpo") { ", reference = none" } else { "" };
    let plan = plan(&format!("prefer aligned {{ from = base, data = pairs, loss = {text}{reference} }}"));
    let step = plan.steps.iter().find(|s| s.op == "prefer").unwrap();
    PreferLoss::read(step.args.get("loss").unwrap_or(&Value::None)).unwrap()
}

#[test]
fn written_losses_are_the_built_in_ones() {
    let side = |logp: f64, reference: f64, tokens: f64| Side { logp, reference, tokens };
    let whole = Whole { pairs: 2.0, chosen_tokens: 20.0 };
    for (written, own) in [
        ("written_dpo", "dpo(beta = 0.1)"),
        ("written_ipo", "ipo(tau = 0.1)"),
        ("written_simpo", "simpo(beta = 2, gamma = 1)"),
        ("written_orpo", "orpo(weight = 0.1)"),
    ] {
        let (a, b) = (loss(written), loss(own));
        assert_eq!((a.name(), a.needs_reference()), ("formula", b.needs_reference()), "{written}");
        let (a, b) = (pair_loss(&a).unwrap().unwrap(), pair_loss(&b).unwrap().unwrap());
        for pair in [
            Pair { chosen: side(-21.3, -22.9, 13.0), rejected: side(-17.2, -16.8, 9.0) },
            Pair { chosen: side(-3.5, -2.0, 4.0), rejected: side(-40.0, -39.0, 21.0) },
        ] {
            let (a, b) = (a.of(&pair, &whole), b.of(&pair, &whole));
            for (a, b) in [(a.loss, b.loss), (a.chosen, b.chosen), (a.rejected, b.rejected)] {
                assert!((a - b).abs() < 1e-9 * (1.0 + b.abs()), "{written}: {a} {b}");
            }
        }
    }
}

#[test]
fn a_reference_is_asked_once_for_stages_that_share_it_and_only_where_that_pays() {
    let count = |text: &str| {
        let plan = plan(text);
        let of = |op: &str| plan.steps.iter().filter(|s| s.op == op).count();
        (of("prefer"), of("refer"))
    };
    let stage = |name: &str, more: &str| format!("prefer {name} {{ from = base, data = pairs{more} }}\n");
    let both = stage("a", ", loss = dpo(beta = 0.1)") + &stage("b", ", loss = dpo(beta = 0.3), seed = 4");
    assert_eq!(count(&both), (2, 1), "two strengths, one reference");
    assert_eq!(
        count(&(stage("a", "") + &stage("b", ", loss_off = [end_tokens]"))),
        (2, 2),
        "other tokens count"
    );
    assert_eq!(count(&stage("a", ", steps = 20")), (1, 0), "beside the policy");
    assert_eq!(count(&stage("a", ", loss = simpo(), reference = none")), (1, 0));
    assert_eq!(count(&stage("a", ", loss = kto()")), (1, 0));
    assert_eq!(count(&stage("a", ", epochs = 2, loss = written_dpo")), (1, 1));
}
