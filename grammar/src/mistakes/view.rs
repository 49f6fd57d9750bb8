//! A chunk as the catalogue sees it: texts and numbers are one token each, blanks and comments are gone.

use super::Explain;
use crate::codes::e0004_unclosed_text::UnclosedText;
use crate::kind::SyntaxKind;
use crate::scan::Token;
use crate::{Diag, Span, split};

/// What a token is to the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Word,
    Key,
    Number,
    Text,
    Lines,
    Sign,
    Newline,
    Bad,
}

/// A token of the view.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub(super) sort: Sort,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) text: &'a str,
}

impl View<'_> {
    /// +1 opens, -1 closes.
    pub(super) fn bracket(&self) -> i32 {
        match (self.sort, self.text) {
            (Sort::Sign, "(" | "[" | "{") => 1,
            (Sort::Sign, ")" | "]" | "}") => -1,
            _ => 0,
        }
    }
}

impl<'a> Explain<'a, '_> {
    /// Builds the view; text that is not closed is reported and patched.
    pub(super) fn look(&mut self) -> Vec<View<'a>> {
        let (source, tokens) = (self.attempt.source, self.attempt.tokens);
        let mut view: Vec<View<'a>> = vec![];
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            let mut until = at + 1;
            let text = token.text(source);
            let sort = match token.kind {
                SyntaxKind::Space | SyntaxKind::Comment => {
                    at = until;
                    continue;
                }
                SyntaxKind::Newline => Sort::Newline,
                SyntaxKind::Ident => Sort::Word,
                SyntaxKind::Keyword => Sort::Key,
                SyntaxKind::TextLine => Sort::Lines,
                SyntaxKind::Punct => Sort::Sign,
                SyntaxKind::RawText if text.len() < 3 || !text.ends_with('"') => {
                    self.unclosed(token.start, token.end, &mut view);
                    at = until;
                    continue;
                }
                SyntaxKind::RawText => Sort::Text,
                SyntaxKind::Quote => {
                    let closed;
                    (until, closed) = text_end(tokens, at);
                    if !closed {
                        let end = tokens.get(until - 1).map_or(token.end, |last| last.end);
                        self.unclosed(token.start, end, &mut view);
                        at = until;
                        continue;
                    }
                    Sort::Text
                }
                SyntaxKind::Number => {
                    until = number_end(source, tokens, at);
                    Sort::Number
                }
                _ => Sort::Bad,
            };
            let end = tokens.get(until - 1).map_or(token.end, |last| last.end);
            view.push(View {
                sort,
                start: token.start,
                end,
                text: source.get(token.start..end).unwrap_or(""),
            });
            at = until;
        }
        view
    }

    /// Text that runs to the end of its line: brackets and commas behind it are taken out of it.
    fn unclosed(&mut self, start: usize, end: usize, view: &mut Vec<View<'a>>) {
        let source = self.attempt.source;
        let text = source.get(start..end).unwrap_or("").trim_end();
        let line = view.iter().rev().take_while(|token| token.sort != Sort::Newline);
        let mut open = line.map(View::bracket).sum::<i32>().max(0);
        let mut length = text.len();
        while let Some(last) = text.get(..length).and_then(|text| text.chars().next_back()) {
            match last {
                ')' | ']' | '}' if open > 0 => open -= 1,
                ',' | ' ' => {}
                _ => break,
            }
            length -= last.len_utf8();
        }
        let close = start + length.max(1);
        let span = Span::new(self.file, start, start + text.len());
        let braces = text.contains('{') && text.matches('"').count() > 1;
        let advice = if braces {
            "`{` begins a value in text: close it with `}`, or write `{{` for a brace"
        } else {
            "close it with `\"`"
        };
        let diag = Diag::from(UnclosedText { advice: advice.into(), at: span });
        let diag = if braces { diag } else { diag.fix("close the text", Span::at(self.file, close), "\"") };
        if !self.attempt.is_hidden(start, close) {
            self.sink.push(diag);
            self.attempt.hide(start, close, true);
        }
        view.push(View { sort: Sort::Text, start, end: close, text: source.get(start..close).unwrap_or("") });
        for (offset, c) in source.get(close..end).unwrap_or("").char_indices() {
            let start = close + offset;
            let end = start + c.len_utf8();
            if matches!(c, ')' | ']' | '}' | ',') {
                view.push(View { sort: Sort::Sign, start, end, text: source.get(start..end).unwrap_or("") });
            }
        }
    }
}

/// Behind the closing quote of the text that begins here, or the end of the line.
fn text_end(tokens: &[Token], from: usize) -> (usize, bool) {
    let mut open = vec![];
    for (at, token) in tokens.iter().enumerate().skip(from) {
        match token.kind {
            SyntaxKind::Newline => return (at, false),
            SyntaxKind::Quote if open.last() == Some(&SyntaxKind::Quote) => drop(open.pop()),
            SyntaxKind::Quote | SyntaxKind::InterpOpen => open.push(token.kind),
            SyntaxKind::InterpClose => drop(open.pop()),
            _ => {}
        }
        if open.is_empty() {
            return (at + 1, true);
        }
    }
    (tokens.len(), false)
}

/// Behind the suffix and unit of a number.
fn number_end(source: &str, tokens: &[Token], from: usize) -> usize {
    let kind = |at: usize| tokens.get(at).map(|token| token.kind);
    let mut end = from + 1;
    if kind(end) == Some(SyntaxKind::Suffix) {
        end += 1;
    }
    let next = tokens.get(end + 1).map_or("", |token| token.text(source));
    // `a = 1 b = 2`: a comma is missing, `b` is no unit.
    let behind = tokens.iter().skip(end + 2).find(|token| token.kind != SyntaxKind::Space);
    let member = behind.is_some_and(|token| matches!(token.text(source), "=" | ":"));
    let unit =
        kind(end) == Some(SyntaxKind::Space) && kind(end + 1) == Some(SyntaxKind::Ident) && next != "_";
    if unit && !member { end + 2 } else { end }
}

/// The bracket that is open around a token.
pub(super) fn opener(view: &[View<'_>], at: usize) -> Option<usize> {
    let mut depth = 0;
    for open in (0..at).rev() {
        depth += view.get(open).map_or(0, View::bracket);
        if depth > 0 {
            return Some(open);
        }
    }
    None
}

/// The bracket that closes an open one, or the end.
pub(super) fn partner(view: &[View<'_>], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in view.iter().enumerate().skip(open) {
        depth += token.bracket();
        if depth <= 0 {
            return at;
        }
    }
    view.len()
}

/// Brackets open at a token, counted from another.
pub(super) fn depth(view: &[View<'_>], from: usize, at: usize) -> i32 {
    view.get(from..at).unwrap_or(&[]).iter().map(View::bracket).sum()
}

/// First token and end of the member, argument or element around a token. With no open bracket: the chunk.
pub(super) fn segment(view: &[View<'_>], at: usize, open: Option<usize>) -> (usize, usize) {
    let Some(open) = open else { return (0, view.len()) };
    let close = partner(view, open);
    let block = view.get(open).is_some_and(|token| token.text == "{");
    let found =
        segments(view, open + 1, close, block).into_iter().find(|range| range.0 <= at && at < range.1);
    found.unwrap_or((open + 1, close))
}

/// Segments between brackets, without their commas; in blocks lines end them too.
pub(super) fn segments(view: &[View<'_>], from: usize, to: usize, block: bool) -> Vec<(usize, usize)> {
    let mut all = vec![];
    let mut start = from;
    let mut at = from;
    while at < to.min(view.len()) {
        let token = &view[at];
        if token.bracket() > 0 {
            at = partner(view, at).max(at);
        } else if token.sort == Sort::Sign && token.text == "," {
            all.push((start, at));
            start = at + 1;
        } else if block && token.sort == Sort::Newline {
            if (start..at).all(|at| view[at].sort == Sort::Newline) {
                start = at + 1;
            } else if !goes_on(view, start, at, to) {
                all.push((start, at));
                start = at + 1;
            }
        }
        at += 1;
    }
    if (start..to.min(view.len())).any(|at| view[at].sort != Sort::Newline) {
        all.push((start, to.min(view.len())));
    }
    all
}

/// Whether the line that ends here goes on: the next begins with an operator, or this one ends with one or with `=`.
pub(super) fn goes_on(view: &[View<'_>], start: usize, newline: usize, to: usize) -> bool {
    let next = view.get(newline..to).and_then(|rest| rest.iter().find(|token| token.sort != Sort::Newline));
    let Some(next) = next else { return false };
    if next.sort == Sort::Lines
        || (is_infix(next) && next.text != "-")
        || matches!((next.sort, next.text), (Sort::Key, "then" | "else"))
    {
        return true;
    }
    if view.get(start).is_some_and(|first| first.text == "@") {
        return (start..newline).all(|at| view[at].sort != Sort::Newline);
    }
    let after = view.iter().skip_while(|token| token.start < next.end).find(|token| token.end > next.end);
    let new = next.text == "@"
        || (next.sort == Sort::Word
            && after.is_some_and(|after| matches!(after.text, "=" | ":" | ".") || after.sort == Sort::Word));
    let last = view.get(newline.wrapping_sub(1));
    !new && last.is_some_and(|last| last.text == "=" || is_infix(last) || matches!(last.text, "&" | "|"))
}

/// Whether a token is an operator between values.
pub(super) fn is_infix(token: &View<'_>) -> bool {
    match token.sort {
        Sort::Sign => {
            matches!(token.text, "|>" | "==" | "!=" | "<=" | ">=" | "<" | ">" | ".." | "+" | "-" | "*" | "/")
        }
        Sort::Key => matches!(token.text, "and" | "or" | "mod" | "in"),
        _ => false,
    }
}

/// Bytes from one token to before another, without the line ends around.
pub(super) fn bytes(view: &[View<'_>], from: usize, to: usize) -> Option<(usize, usize)> {
    let part = view.get(from..to)?;
    let first = part.iter().find(|token| token.sort != Sort::Newline)?;
    let last = part.iter().rfind(|token| token.sort != Sort::Newline)?;
    Some((first.start, last.end))
}

/// Blanks before the first token of the line on which a token stands.
pub(super) fn indent(source: &str, offset: usize) -> usize {
    let before = source.get(..offset).unwrap_or("");
    let line = before.rfind('\n').map_or(0, |at| at + 1);
    source.get(line..).map_or(0, |text| text.len() - text.trim_start_matches([' ', '\t']).len())
}

/// The bracket that closes an opening one.
pub(super) fn closing(open: &str) -> &'static str {
    split::closer(open)
}
