//! The mistake catalogue: says in our words what pest could not read, and patches it so that pest can read the rest.

mod brackets;
mod items;
mod signs;
mod values;
mod view;

use crate::attempt::Attempt;
use crate::codes::e0001_unexpected::Unexpected;
use crate::scan::Token;
use crate::{Diag, FileId, Sink, Span};
use view::Sort;
pub(crate) use view::View;

/// Most patches of last resort in one chunk.
pub(crate) const MOST: usize = 24;

/// Walks over a chunk that pest could not read.
struct Explain<'a, 'e> {
    file: FileId,
    attempt: &'e mut Attempt<'a>,
    sink: &'e mut Sink,
    view: Vec<View<'a>>,
}

/// Reports all mistakes that the catalogue knows, each once and at its place.
pub(crate) fn explain<'a>(file: FileId, attempt: &mut Attempt<'a>, sink: &mut Sink) -> Vec<View<'a>> {
    let mut explain = Explain { file, attempt, sink, view: vec![] };
    explain.view = explain.look();
    explain.brackets();
    explain.chunk();
    explain.view
}

/// Reports what pest could not read and the catalogue does not know. False if nothing is left to try.
pub(crate) fn fallback(
    file: FileId,
    attempt: &mut Attempt<'_>,
    view: &[View<'_>],
    place: usize,
    sink: &mut Sink,
) -> bool {
    let Some(at) = culprit(view, place) else {
        let at = Span::at(file, place);
        sink.push(unexpected(at, "the end", "more is wanted here"));
        return false;
    };
    let parts = enclosing(view, at);
    let known = parts.iter().any(|(start, end, _)| attempt.is_hidden(*start, *end));
    if !known && let Some(token) = view.get(at) {
        let span = Span::new(file, token.start, token.end);
        let behind = token.end <= place;
        let what = if behind { format!("end after {}", named(token)) } else { named(token) };
        let letter = token.sort == Sort::Bad && token.text.chars().all(char::is_alphabetic);
        let wanted = match (behind, letter) {
            (true, _) => "more is wanted behind this",
            (false, true) => "names are made of a to z, A to Z, 0 to 9 and `_`",
            (false, false) => "this cannot stand here",
        };
        sink.push(unexpected(span, &what, wanted));
    }
    for (start, end, filled) in parts {
        if !attempt.is_hidden(start, end) && start < end {
            attempt.hide(start, end, filled);
            return true;
        }
    }
    false
}

/// Reports why a value on its own could not be read.
pub(crate) fn value(file: FileId, text: &str, tokens: &[Token], place: usize, sink: &mut Sink) {
    let before = sink.len();
    let mut attempt = Attempt::new(text, tokens, 0..text.len(), &[]);
    let mut explain = Explain { file, attempt: &mut attempt, sink, view: vec![] };
    explain.view = explain.look();
    explain.brackets();
    let all = 0..explain.view.len();
    explain.value(all, values::Place::Alone);
    if sink.len() == before {
        let end =
            text.get(place..).and_then(|rest| rest.chars().next()).map_or(place, |c| place + c.len_utf8());
        let at = Span::new(file, place, end);
        let what = text.get(place..end).filter(|what| !what.is_empty());
        sink.push(unexpected(
            at,
            &what.map_or("the end".into(), |what| format!("`{what}`")),
            "a value is wanted",
        ));
    }
}

fn unexpected(at: Span, what: &str, wanted: &str) -> Diag {
    Diag::from(Unexpected { what: what.into(), wanted: wanted.into(), at })
}

fn named(token: &View<'_>) -> String {
    match token.sort {
        Sort::Newline => "line end".into(),
        Sort::Text => "text".into(),
        Sort::Number => format!("number `{}`", token.text),
        _ => format!("`{}`", token.text),
    }
}

/// The token that pest stopped at; the last one if it stopped at the end, or at a line end that ends nothing.
fn culprit(view: &[View<'_>], place: usize) -> Option<usize> {
    let next = view.iter().position(|token| token.end > place && token.sort != Sort::Newline);
    let last = view.iter().rposition(|token| token.sort != Sort::Newline);
    next.or(last)
}

/// Ranges around a token that may be hidden, smallest first, and whether a value must stand there.
fn enclosing(view: &[View<'_>], at: usize) -> Vec<(usize, usize, bool)> {
    let mut parts = vec![];
    let mut inside = at;
    let mut open = view::opener(view, at);
    loop {
        let (first, last) = view::segment(view, inside, open);
        let in_block = open.is_some_and(|open| view.get(open).is_some_and(|open| open.text == "{"));
        let (mut from, mut filled) = (first, open.is_some() && !in_block);
        if open.is_none() || in_block {
            let equals = (first..last).find(|at| view::depth(view, first, *at) == 0 && view[*at].text == "=");
            if let Some(equals) = equals.filter(|equals| *equals + 1 < last && *equals < at) {
                parts.extend(view::bytes(view, equals + 1, last).map(|(start, end)| (start, end, true)));
            }
            filled = false;
        } else if view.get(first + 1).is_some_and(|next| next.text == "=") && first + 2 < last {
            from = first + 2;
        }
        parts.extend(view::bytes(view, from, last).map(|(start, end)| (start, end, filled)));
        match open {
            Some(outer) => {
                inside = outer;
                open = view::opener(view, outer);
            }
            None => return parts,
        }
    }
}
