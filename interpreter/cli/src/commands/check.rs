//! `llmp check`: diagnostics, and machine fixes with `--fix`.

use std::path::Path;

use llmp_grammar::diag::Severity;
use llmp_grammar::{Diag, render};

use crate::Exit;
use crate::args::{Check, CheckFormat, Color};
use crate::load::{self, Checked};
use crate::output;

pub(crate) fn check(args: &Check, color: Color) -> Exit {
    let mut exit = Exit::Clean;
    let mut objects = Vec::new();
    for file in &args.files {
        let mut checked = load::check(file, &args.reading);
        if args.fix {
            match fix(file, checked, args) {
                Ok(after) => checked = after,
                Err(error) => {
                    output::note(&format!("error: {}: {error}", file.display()));
                    return Exit::Failed;
                }
            }
        }
        if checked.failed() {
            exit = Exit::Failed;
        }
        match args.format {
            CheckFormat::Human => human(&checked, color),
            CheckFormat::Short => output::print(&render::short(&checked.diags, checked.sources())),
            CheckFormat::Json => objects.extend(objects_of(&checked)),
        }
    }
    if args.format == CheckFormat::Json {
        output::print(&format!("{:#}\n", serde_json::Value::Array(objects)));
    }
    exit
}

fn objects_of(checked: &Checked) -> Vec<serde_json::Value> {
    let text = render::json(&checked.diags, checked.sources());
    serde_json::from_str(&text).unwrap_or_default()
}

fn human(checked: &Checked, color: Color) {
    checked.print(color);
    let count = |severity: Severity| checked.diags.iter().filter(|d| d.severity == severity).count();
    let (errors, warnings, notes) = (count(Severity::Error), count(Severity::Warning), count(Severity::Info));
    let plural = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    let mut words = vec![plural(errors, "error"), plural(warnings, "warning")];
    if notes > 0 {
        words.push(format!("{} (--format short shows them)", plural(notes, "note")));
    }
    output::note(&format!("{}: {}", checked.program.main, words.join(", ")));
}

/// Applies machine fixes until none is left or nothing gets better.
fn fix(file: &Path, mut checked: Checked, args: &Check) -> Result<Checked, String> {
    for _ in 0..20 {
        let text = std::fs::read_to_string(file).map_err(|e| e.to_string())?;
        let Some(fixed) = apply(&checked.diags, &text) else { break };
        if fixed == text {
            break;
        }
        llmp_exec::durable::write(file, fixed.as_bytes(), &llmp_exec::durable::no_hook)
            .map_err(|f| f.to_string())?;
        checked = load::check(file, &args.reading);
    }
    Ok(checked)
}

/// The first fix of every diagnostic, as far as they do not touch each other; only in the main file.
fn apply(diags: &[Diag], text: &str) -> Option<String> {
    let main = llmp_grammar::FileId(0);
    let mut edits: Vec<_> = Vec::new();
    for fix in diags.iter().filter(|d| d.severity != Severity::Info).filter_map(|d| d.fixes.first()) {
        let here = fix.edits.iter().all(|e| e.span.file == main);
        let free = fix.edits.iter().all(|e| edits.iter().all(|o: &llmp_grammar::Edit| apart(e, o)));
        if here && free {
            edits.extend(fix.edits.iter().cloned());
        }
    }
    if edits.is_empty() {
        return None;
    }
    edits.sort_by_key(|e| std::cmp::Reverse((e.span.start, e.span.end)));
    let mut fixed = text.to_owned();
    for edit in edits {
        let range = edit.span.start as usize..edit.span.end as usize;
        if fixed.get(range.clone()).is_some() {
            fixed.replace_range(range, &edit.replacement);
        }
    }
    Some(fixed)
}

fn apart(a: &llmp_grammar::Edit, b: &llmp_grammar::Edit) -> bool {
    a.span.end < b.span.start || b.span.end < a.span.start
}
