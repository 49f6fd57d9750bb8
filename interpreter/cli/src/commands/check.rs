//! `llmp check`: diagnostics in every form; fixes, watching and the list of unpublished values.

use llmp_grammar::diag::Severity;
use llmp_grammar::render::{self, Report};
use serde_json::json;

use super::{fix, watch};
use crate::Exit;
use crate::args::{Check, CheckFormat, Color};
use crate::load::{self, Checked};
use crate::output;

pub(crate) fn check(args: &Check, color: Color) -> Exit {
    if args.watch {
        return watch::watch(args, color);
    }
    once(args, color).0
}

/// One pass over all programs; also what was read, for watching.
pub(super) fn once(args: &Check, color: Color) -> (Exit, Vec<Checked>) {
    let mut all = Vec::new();
    for file in &args.files {
        let mut checked = load::check(file, &args.reading);
        if args.fix {
            match fix::fix(file, checked, &args.reading) {
                Ok(after) => checked = after,
                Err(error) => {
                    output::note(&format!("error: {error}"));
                    return (Exit::Failed, all);
                }
            }
        }
        if args.frozen.frozen {
            load::freeze(&mut checked);
        }
        all.push(checked);
    }
    let exit = if all.iter().any(Checked::failed) { Exit::Failed } else { Exit::Clean };
    if args.published {
        published(&all, args.format, color);
    } else {
        print(&all, args.format, color);
    }
    (exit, all)
}

fn print(all: &[Checked], format: CheckFormat, color: Color) {
    let reports: Vec<Report<'_>> =
        all.iter().map(|c| Report { file: &c.program.main, diags: &c.diags, sources: c.sources() }).collect();
    match format {
        CheckFormat::Human => all.iter().for_each(|checked| human(checked, color)),
        CheckFormat::Short => {
            reports.iter().for_each(|r| output::print(&render::short(r.diags, r.sources)));
        }
        CheckFormat::Json => {
            let objects: Vec<serde_json::Value> = reports
                .iter()
                .filter_map(|r| render::json_value(r.diags, r.sources).as_array().cloned())
                .flatten()
                .collect();
            output::print(&format!("{:#}\n", serde_json::Value::Array(objects)));
        }
        CheckFormat::Sarif => {
            output::print(&render::sarif(&reports, &load::codes(), env!("CARGO_PKG_VERSION")));
        }
        CheckFormat::Github => output::print(&render::github(&reports)),
        CheckFormat::Junit => output::print(&render::junit(&reports)),
    }
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

/// Values that a paper does not give, with why each was taken. Errors are printed as well: they may hide some.
fn published(all: &[Checked], format: CheckFormat, color: Color) {
    let mut objects = Vec::new();
    for checked in all {
        let sources = checked.sources();
        for note in &checked.program.unpublished {
            let (path, start) = (sources.path(note.at.file), sources.position(note.at.file, note.at.start));
            let end = sources.position(note.at.file, note.at.end);
            let value = sources.slice(note.at);
            if format == CheckFormat::Json {
                objects.push(
                    json!({ "file": path, "start": start, "end": end, "value": value, "why": note.why }),
                );
            } else {
                let why = if note.why.is_empty() { "no reason given" } else { &note.why };
                output::print(&format!("{path}:{}:{}: {value}: {why}\n", start.line, start.column));
            }
        }
        if format != CheckFormat::Json {
            if checked.failed() {
                checked.print(color);
            }
            let count = checked.program.unpublished.len();
            output::note(&format!("{}: {count} unpublished values", checked.program.main));
        }
    }
    if format == CheckFormat::Json {
        output::print(&format!("{:#}\n", serde_json::Value::Array(objects)));
    }
}
