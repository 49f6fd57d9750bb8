//! Programs and what the checker and the planner say of them.

mod catalogue;
mod diff;
mod lineage;
mod locked;
mod mistakes;
mod plans;
mod same_plan;
mod speed;
mod templates;
mod values;

use std::collections::BTreeMap;

use llmp_grammar::{Diag, Severity};
use llmp_stdlib::Plan;

use crate::{Loaded, Options, Program, check, load, plan};

/// The newcomer's program.
pub(crate) const NEWCOMER: &str = r#"llmp 1

source books = text("books/*.txt")

dataset clean = books |> detect_language() |> keep_if(.lang == "en") |> dedup_minhash() |> split(heldout = 2%)

tokenizer tok = bpe(train_on = clean, vocab = 4096)

model tiny {
  tokenizer = tok
  layers    = 4
  width     = 192
  heads     = 6
  kv_heads  = 2
  context   = 256
}

pretrain run {
  model  = tiny
  data   = clean
  tokens = 4M
}

eval quality   { model = run, suites = [bits_per_byte(clean.heldout)] }
release stories { model = run }
"#;

pub(crate) struct Checked {
    pub(crate) loaded: Loaded,
    pub(crate) program: Program,
    pub(crate) diags: Vec<Diag>,
}

/// Checks the main file `main.llmp` among others.
pub(crate) fn checked(files: &[(&str, &str)], options: &Options) -> Checked {
    let files: BTreeMap<String, String> =
        files.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let main = if files.contains_key("main.llmp") { "main.llmp" } else { "example.llmp" };
    let (loaded, mut sink) = load(&files, main);
    let (program, said) = check(&loaded, &crate::test_registry::registry(), options);
    sink.extend(said);
    Checked { loaded, program, diags: sink.into_sorted() }
}

/// Errors and warnings of a program as `CODE line:column`, infos left out.
pub(crate) fn said(text: &str) -> Vec<String> {
    said_with(text, &Options::default())
}

pub(crate) fn said_with(text: &str, options: &Options) -> Vec<String> {
    let text = if text.starts_with("llmp") { text.to_owned() } else { format!("llmp 1\n{text}") };
    let checked = checked(&[("main.llmp", &text)], options);
    places(&checked, false)
}

pub(crate) fn places(checked: &Checked, infos: bool) -> Vec<String> {
    let wanted = checked.diags.iter().filter(|d| infos || d.severity != Severity::Info);
    wanted
        .map(|diag| {
            let at = diag.span().unwrap_or_default();
            let place = checked.program.sources.position(at.file, at.start);
            format!("{} {}:{}", diag.code.trim_start_matches("LLMP"), place.line, place.column)
        })
        .collect()
}

/// The plan of a program without errors.
pub(crate) fn planned(text: &str) -> Plan {
    planned_with(text, &Options::default())
}

pub(crate) fn planned_with(text: &str, options: &Options) -> Plan {
    let checked = checked(&[("main.llmp", text)], options);
    let errors: Vec<_> = checked.diags.iter().filter(|d| d.is_error()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let (plan, sink) = plan(&checked.program, &crate::test_registry::registry());
    assert!(sink.is_empty(), "{sink:#?}");
    plan
}
