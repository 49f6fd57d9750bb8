//! `llmp check --fix`: machine fixes in a program and the files of the project that it imports.

use std::collections::BTreeMap;
use std::path::Path;

use llmp_grammar::diag::Severity;
use llmp_grammar::{Edit, Fix};
use llmp_interpreter::Vfs;

use crate::args::Reading;
use crate::load::{self, Checked, Disk};
use crate::output;

/// Rounds of fixing: a fix can make the next problem visible.
const ROUNDS: usize = 40;

/// The disk with files that were changed and not written yet.
struct Overlay<'a>(&'a BTreeMap<String, String>);

impl Vfs for Overlay<'_> {
    fn read(&self, path: &str) -> Option<String> {
        self.0.get(path).cloned().or_else(|| Disk.read(path))
    }

    fn exists(&self, path: &str) -> bool {
        self.0.contains_key(path) || Disk.exists(path)
    }
}

/// A fix and the problem that it is for.
type Wanted = (Problem, Fix);

/// Code and message: what must be said less often after the fix.
type Problem = (&'static str, String);

/// Applies fixes until none is left that makes its problem go away, then writes what changed.
///
/// Errors: a file that cannot be written, in words.
pub(super) fn fix(file: &Path, mut checked: Checked, reading: &Reading) -> Result<Checked, String> {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    let mut seen = vec![texts.clone()];
    let mut applied = 0;
    for _ in 0..ROUNDS {
        let wanted = fixes(&checked);
        // All at once; where that does not help, one by one.
        let mut tries = vec![wanted.as_slice()];
        tries.extend(wanted.chunks(1).filter(|_| wanted.len() > 1));
        let better = tries.into_iter().filter(|fixes| !fixes.is_empty()).find_map(|fixes| {
            let changed = apply(&checked, &texts, fixes);
            if seen.contains(&changed) {
                return None;
            }
            let after = load::check_in(&Overlay(&changed), file, reading, load::locked(file));
            helps(&checked, &after, fixes).then_some((changed, after, fixes.len()))
        });
        let Some((changed, after, count)) = better else { break };
        applied += count;
        seen.push(changed.clone());
        (texts, checked) = (changed, after);
    }
    for (path, text) in &texts {
        // A link stays a link: what it points at is written.
        let target = std::fs::canonicalize(path).map_err(|e| format!("{path}: {e}"))?;
        llmp_exec::durable::write(&target, text.as_bytes(), &llmp_exec::durable::no_hook)
            .map_err(|failure| failure.to_string())?;
    }
    if applied > 0 {
        let files: Vec<&str> = texts.keys().map(String::as_str).collect();
        let word = if applied == 1 { "fix" } else { "fixes" };
        output::note(&format!("{applied} {word} in {}", files.join(", ")));
    }
    Ok(checked)
}

/// Whether every problem is said less often than before, and no text became harder to read. A fix may well make
/// problems visible that could not be seen before it.
fn helps(before: &Checked, after: &Checked, fixes: &[Wanted]) -> bool {
    let count = |checked: &Checked, problem: &Problem| {
        checked.diags.iter().filter(|d| (d.code, &d.message) == (problem.0, &problem.1)).count()
    };
    let unreadable =
        |checked: &Checked| checked.diags.iter().filter(|d| d.is_error() && d.code < "LLMP0011").count();
    fixes.iter().all(|(problem, _)| count(after, problem) < count(before, problem))
        && unreadable(after) <= unreadable(before)
}

/// The first fix of every problem, as far as they do not touch each other and stay inside files of the project.
fn fixes(checked: &Checked) -> Vec<Wanted> {
    let mut chosen: Vec<Wanted> = Vec::new();
    for diag in checked.diags.iter().filter(|d| d.severity != Severity::Info) {
        let Some(fix) = diag.fixes.first().filter(|fix| !fix.edits.is_empty()) else { continue };
        let ours = fix.edits.iter().all(|edit| writable(checked, edit));
        let free = |e: &Edit| chosen.iter().flat_map(|(_, f)| &f.edits).all(|o| apart(e, o));
        if ours && fix.edits.iter().all(free) {
            chosen.push(((diag.code, diag.message.clone()), fix.clone()));
        }
    }
    chosen
}

/// Whether an edit lies in a file of the project: not in the library, not in a value of `--set`, and in UTF-8.
fn writable(checked: &Checked, edit: &Edit) -> bool {
    let path = checked.sources().path(edit.span.file);
    let known = checked.loaded.units.iter().any(|unit| unit.file == edit.span.file);
    let library = path.starts_with("std/") && path != checked.program.main;
    known && !library && std::fs::read(path).is_ok_and(|bytes| std::str::from_utf8(&bytes).is_ok())
}

fn apart(a: &Edit, b: &Edit) -> bool {
    a.span.file != b.span.file || a.span.end < b.span.start || b.span.end < a.span.start
}

/// The texts after the edits of these fixes.
fn apply(checked: &Checked, texts: &BTreeMap<String, String>, fixes: &[Wanted]) -> BTreeMap<String, String> {
    let mut texts = texts.clone();
    let mut edits: Vec<&Edit> = fixes.iter().flat_map(|(_, fix)| &fix.edits).collect();
    edits.sort_by_key(|edit| std::cmp::Reverse(edit.span));
    for edit in edits {
        let sources = checked.sources();
        let text = texts
            .entry(sources.path(edit.span.file).to_owned())
            .or_insert_with(|| sources.text(edit.span.file).to_owned());
        if text.get(edit.span.range()).is_some() {
            text.replace_range(edit.span.range(), &edit.replacement);
        }
    }
    texts
}
