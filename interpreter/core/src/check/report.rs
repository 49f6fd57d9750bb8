//! From problems with paths to diagnostics with places; `@allow`; each message once.

use std::collections::BTreeSet;

use llmp_grammar::ast::{Attr, Body, Decl, Item, ItemKind, RoundMember};
use llmp_grammar::diag::Edit;
use llmp_grammar::{Diag, Severity, Span};
use llmp_stdlib::{Problem, Replacement};

use crate::codes::NeedlessAllow;
use crate::load::Loaded;
use crate::program::{Insert, Place, Places};

/// A problem that a built-in found, at the places where its paths were written.
pub(crate) fn place_problem(problem: Problem, prefix: &[String], places: &Places, fallback: Span) -> Diag {
    place_in(problem, prefix, places, fallback, |_| "")
}

/// The same where the text of a place is at hand: fixes may then change a word of it.
pub(crate) fn place_in<'t>(
    problem: Problem,
    prefix: &[String],
    places: &Places,
    fallback: Span,
    text: impl Fn(Span) -> &'t str,
) -> Diag {
    let full = |path: &[String]| -> Vec<String> { prefix.iter().chain(path).cloned().collect() };
    let nearest = |path: &[String]| {
        let shorter = (1..=path.len()).rev().map(|n| &path[..n]);
        shorter.filter_map(|p| places.get(p)).map(|p| p.value).next().unwrap_or(fallback)
    };
    let at = if problem.path.is_empty() { fallback } else { nearest(&full(&problem.path)) };
    let mut diag = Diag::new(problem.code, problem.severity, problem.message).primary_label(at, "");
    for (path, words) in &problem.labels {
        let there = if path.is_empty() { fallback } else { nearest(&full(path)) };
        match diag.labels.first_mut() {
            Some(first) if there == at && first.text.is_empty() => first.text.clone_from(words),
            _ => diag = diag.label(there, words.clone()),
        }
    }
    diag.help = problem.help;
    for fix in problem.fixes {
        let path = full(&fix.path);
        match (places.get(&path), path.split_last()) {
            (Some(place), _) => {
                diag = match &fix.word {
                    None => diag.fix(fix.title, place.value, fix.text),
                    Some(word) => reworded(diag, place.value, text(place.value), word, &fix),
                }
            }
            (None, _) if fix.word.is_some() => {}
            (None, Some((name, around))) => {
                if let Some(place) = places.get(around) {
                    diag = insert_titled(diag, *place, name, &fix.text, fix.title);
                }
            }
            (None, None) => {}
        }
    }
    diag
}

/// Adds a fix that changes every use of a word in a value; none where the value is written elsewhere.
fn reworded(diag: Diag, at: Span, text: &str, word: &str, fix: &Replacement) -> Diag {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    let alone = |start: &usize| {
        let (before, after) = (text.get(..*start), text.get(start + word.len()..));
        !before.is_some_and(|t| t.ends_with(inside)) && !after.is_some_and(|t| t.starts_with(inside))
    };
    let edits: Vec<Edit> = text
        .match_indices(word)
        .map(|(start, _)| start)
        .filter(alone)
        .map(|start| {
            let start = at.start as usize + start;
            let span = Span::new(at.file, start, start + word.len());
            Edit { span, replacement: fix.text.clone() }
        })
        .collect();
    if edits.is_empty() { diag } else { diag.fix_edits(fix.title.clone(), edits) }
}

/// Adds a fix that writes a member or argument that was not written.
pub(crate) fn insert(diag: Diag, place: Place, name: &str, text: &str) -> Diag {
    insert_titled(diag, place, name, text, format!("add `{name} = {text}`"))
}

fn insert_titled(diag: Diag, place: Place, name: &str, text: &str, title: String) -> Diag {
    let Some((at, how)) = place.insert else { return diag };
    let text = match how {
        Insert::Line => format!("\n  {name} = {text}"),
        Insert::Comma => format!(", {name} = {text}"),
        Insert::First => format!("{name} = {text}"),
    };
    diag.fix(title, at, text)
}

/// Leaves out warnings that `@allow(CODE)` covers; an `@allow` that covers none is a warning itself.
pub(crate) fn allowed(loaded: &Loaded, mut diags: Vec<Diag>) -> Vec<Diag> {
    let mut allows: Vec<(String, Span, Span)> = Vec::new();
    for unit in &loaded.units {
        unit.ast.items.iter().for_each(|item| allows_of(item, &mut allows));
    }
    for (code, around, at) in allows {
        let before = diags.len();
        let covered = |d: &Diag| {
            d.code == code && d.severity != Severity::Error && d.span().is_some_and(|s| around.contains(s))
        };
        diags.retain(|d| !covered(d));
        if diags.len() == before {
            diags.push(NeedlessAllow { code, at }.into());
        }
    }
    diags
}

/// Every `@allow` of an item, of its members and of what is inside of it.
fn allows_of(item: &Item, allows: &mut Vec<(String, Span, Span)>) {
    collect(&item.attrs, item.span, allows);
    let block = match &item.kind {
        ItemKind::Decl(Decl { body: Body::Block(block), .. }) => Some(block),
        ItemKind::Variant(variant) => Some(&variant.block),
        ItemKind::Rounds(rounds) => {
            for member in &rounds.members {
                if let RoundMember::Item(inner) = member {
                    allows_of(inner, allows);
                }
            }
            None
        }
        _ => None,
    };
    for member in block.into_iter().flat_map(|b| &b.members) {
        collect(&member.attrs, member.span, allows);
    }
}

fn collect(attrs: &[Attr], around: Span, allows: &mut Vec<(String, Span, Span)>) {
    for attr in attrs.iter().filter(|attr| attr.name.text == "allow") {
        for arg in &attr.args {
            if let Some(code) = arg.value.as_name() {
                allows.push((code.to_owned(), around, arg.span));
            }
        }
    }
}

/// One message for each code, place and wording; notes on how a place was reached may differ, and so may the keys of
/// the instances of a template.
pub(crate) fn same_once(mut sorted: Vec<Diag>) -> Vec<Diag> {
    let mut seen: BTreeSet<(&'static str, Option<Span>, String)> = BTreeSet::new();
    sorted.retain(|d| seen.insert((d.code, d.span(), without_keys(&d.message))));
    sorted
}

/// A message without what stands in square brackets behind a name.
fn without_keys(message: &str) -> String {
    let mut plain = String::with_capacity(message.len());
    let mut inside = false;
    for c in message.chars() {
        let behind_name = plain.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        match c {
            '[' if behind_name => inside = true,
            ']' if inside => inside = false,
            c if !inside => plain.push(c),
            _ => {}
        }
    }
    plain
}
