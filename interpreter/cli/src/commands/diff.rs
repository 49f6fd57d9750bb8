//! `llmp diff`: two programs, or one program and a git revision of it, compared by meaning.

use std::path::{Path, PathBuf};

use llmp_interpreter::{Change, Diff, ItemChange};
use serde_json::json;

use crate::Exit;
use crate::args::{self, Color, Format};
use crate::git::Revision;
use crate::load::{self, Checked, Planned};
use crate::output;

/// One side: a file of the disk, or one of a revision.
struct Side {
    file: PathBuf,
    revision: Option<String>,
}

impl Side {
    /// `FILE`, or `FILE@REVISION` where no file has that whole name.
    fn parse(text: &str) -> Side {
        match text.rsplit_once('@') {
            Some((file, revision)) if !Path::new(text).exists() && !revision.is_empty() => {
                Side { file: file.into(), revision: Some(revision.to_owned()) }
            }
            _ => Side { file: text.into(), revision: None },
        }
    }

    fn show(&self) -> String {
        let revision = self.revision.as_ref().map(|r| format!("@{r}")).unwrap_or_default();
        format!("{}{revision}", self.file.display())
    }

    fn check(&self, reading: &args::Reading) -> Result<Checked, String> {
        let Some(revision) = &self.revision else { return Ok(load::check(&self.file, reading)) };
        let tree = Revision::open(&self.file, revision)?;
        let locked = tree.locked(&self.file);
        Ok(load::check_in(&tree, &self.file, reading, locked))
    }
}

pub(crate) fn diff(args: &args::Diff, color: Color) -> Exit {
    let sides = match (args.files.as_slice(), &args.rev) {
        ([before, after], None) => [Side::parse(before), Side::parse(after)],
        ([file], Some(revision)) => [
            Side { file: file.into(), revision: Some(revision.clone()) },
            Side { file: file.into(), revision: None },
        ],
        ([_, _], Some(_)) => return usage("--rev compares one program with itself: name one file"),
        _ => return usage("name two programs, or one with --rev REVISION"),
    };
    let mut planned = Vec::new();
    for side in &sides {
        match side.check(&args.reading) {
            Ok(checked) => match load::plan_checked(quiet(checked), color) {
                Some(plan) => planned.push(plan),
                // As with diff, trouble is 2: 1 says that the plans differ.
                None => return Exit::Usage,
            },
            Err(words) => return usage(&words),
        }
    }
    let [before, after] = planned.as_slice() else { return Exit::Internal };
    let sides = sides.map(|side| side.show());
    let of = |p: &Planned| -> Diff {
        llmp_interpreter::diff((&before.checked.program, &before.plan), (&p.checked.program, &p.plan))
    };
    let diff = of(after);
    match args.format {
        Format::Human => output::print(&people(&diff, &sides)),
        Format::Json => {
            let mut value = json!(diff);
            value["files"] = json!(sides);
            value["same_plan"] = json!(diff.same_plan());
            output::print(&format!("{value:#}\n"));
        }
    }
    if diff.same_plan() { Exit::Clean } else { Exit::Failed }
}

/// Warnings are the business of `check`.
fn quiet(mut checked: Checked) -> Checked {
    checked.diags.retain(llmp_grammar::Diag::is_error);
    checked
}

fn usage(words: &str) -> Exit {
    output::note(&format!("error: {words}"));
    Exit::Usage
}

fn people(diff: &Diff, sides: &[String; 2]) -> String {
    let mut out = format!(
        "--- {}  plan {}\n+++ {}  plan {}\n",
        sides[0],
        &diff.before[..16],
        sides[1],
        &diff.after[..16]
    );
    let section = |out: &mut String, title: &str| out.push_str(&format!("\n{title}\n"));
    if !diff.params.is_empty() {
        section(&mut out, "params");
        diff.params.iter().for_each(|change| out.push_str(&value(change, "  ")));
    }
    if !diff.items.is_empty() {
        section(&mut out, "items");
        diff.items.iter().for_each(|change| out.push_str(&item(change)));
    }
    if !diff.costs.is_empty() {
        section(&mut out, "sizes and costs");
        diff.costs.iter().for_each(|change| out.push_str(&cost(change)));
    }
    if diff.same_plan() {
        out.push_str("\nequal plans: nothing runs again\n");
        return out;
    }
    if !diff.again.is_empty() {
        section(
            &mut out,
            "runs again (steps whose inputs come out as before are still taken from the store)",
        );
        for step in &diff.again {
            out.push_str(&format!("  {}: {}\n", step.step, step.because.join("; ")));
        }
    }
    if !diff.gone.is_empty() {
        section(&mut out, "no longer in the plan");
        diff.gone.iter().for_each(|name| out.push_str(&format!("  {name}\n")));
    }
    out.push_str(&format!("\n{} steps run again, {} stay\n", diff.again.len(), diff.kept));
    out
}

fn item(change: &ItemChange) -> String {
    match change {
        ItemChange::Added { item, kind } => format!("+ {kind} {item}\n"),
        ItemChange::Removed { item, kind } => format!("- {kind} {item}\n"),
        ItemChange::Renamed { item, kind, to } => format!("  {kind} {item} is now called {to}\n"),
        ItemChange::Changed { item, kind, values } => {
            let lines: Vec<String> = values.iter().map(|change| value(change, "    ")).collect();
            format!("~ {kind} {item}\n{}", lines.concat())
        }
    }
}

fn value(change: &Change, indent: &str) -> String {
    let path = &change.path;
    match (&change.before, &change.after) {
        (Some(before), Some(after)) => format!("{indent}{path}: {before} → {after}\n"),
        (None, Some(after)) => format!("{indent}{path}: added {after}\n"),
        (Some(before), None) => format!("{indent}{path}: removed (was {before})\n"),
        (None, None) => String::new(),
    }
}

/// A number with its change in percent.
fn cost(change: &Change) -> String {
    let number = |text: &Option<String>| text.as_ref().and_then(|t| t.parse::<f64>().ok());
    let (Some(before), Some(after)) = (number(&change.before), number(&change.after)) else {
        return value(change, "  ");
    };
    let show = |text: &Option<String>, n: f64| match text {
        Some(text) if text.contains('e') => text.clone(),
        _ => llmp_stdlib::number::human(n),
    };
    let percent =
        if before == 0.0 { String::new() } else { format!(" ({:+.1}%)", (after / before - 1.0) * 100.0) };
    let (before, after) = (show(&change.before, before), show(&change.after, after));
    format!("  {}: {before} → {after}{percent}\n", change.path)
}
