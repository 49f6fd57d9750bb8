//! Brackets without a partner: which one is wrong is told by lines and their indentation.

use super::Explain;
use super::view::{Sort, View, closing, indent};
use crate::codes::e0002_unclosed::Unclosed;
use crate::codes::e0003_unopened::Unopened;
use crate::{Diag, Span};

/// A bracket that is open.
#[derive(Clone, Copy)]
struct Open<'a> {
    token: View<'a>,
    indent: usize,
}

impl<'a> Explain<'a, '_> {
    /// Reports brackets without a partner; afterwards every bracket of the view has one.
    pub(super) fn brackets(&mut self) {
        let view = std::mem::take(&mut self.view);
        if balanced(&view) {
            self.view = view;
            return;
        }
        let mut open: Vec<Open<'a>> = vec![];
        for (at, token) in view.iter().enumerate() {
            let first = at == 0 || view.get(at - 1).is_some_and(|before| before.sort == Sort::Newline);
            if first && token.sort != Sort::Newline {
                self.dedent(&view, at, &mut open);
            }
            match token.bracket() {
                1 => open.push(Open { token: *token, indent: indent(self.attempt.source, token.start) }),
                -1 => {
                    if let Some(close) = self.close(&view, at, &mut open) {
                        self.view.push(close);
                    }
                    continue;
                }
                _ => {}
            }
            self.view.push(*token);
        }
        self.never_closed(&open);
    }

    /// A line that begins a member or closes an outer block: brackets opened on deeper lines were never closed.
    fn dedent(&mut self, view: &[View<'a>], at: usize, open: &mut Vec<Open<'a>>) {
        let here = indent(self.attempt.source, view[at].start);
        let next = view.get(at + 1);
        let member = view[at].sort == Sort::Word
            && next.is_some_and(|next| matches!(next.text, "=" | ":" | ".") || next.sort == Sort::Word);
        while let Some(top) = open.last().copied() {
            let body = open.len() == 1 && top.token.text == "{";
            let begins = member && here <= top.indent && !body;
            let outer = open.iter().rev().skip(1).any(|open| open.token.text == "{" && open.indent == here);
            let ends = view[at].text == "}" && top.token.text == "{" && here < top.indent && outer;
            if !begins && !ends {
                return;
            }
            self.insert_close(top.token);
            open.pop();
        }
    }

    /// A closing bracket: gives the one that belongs here.
    fn close(&mut self, view: &[View<'a>], at: usize, open: &mut Vec<Open<'a>>) -> Option<View<'a>> {
        let token = view[at];
        let span = Span::new(self.file, token.start, token.end);
        let fits = |open: &Open<'_>| closing(open.token.text) == token.text;
        let Some(top) = open.last().copied() else {
            let diag = Diag::from(Unopened { close: token.text.into(), at: span, open: None });
            self.sink.push(diag.fix(format!("remove `{}`", token.text), span, ""));
            self.attempt.replace(token.start, token.end, "");
            return None;
        };
        if fits(&top) {
            open.pop();
            return Some(token);
        }
        let line = view.iter().skip(at + 1).take_while(|token| token.sort != Sort::Newline);
        let spare = line.filter(|other| other.text == token.text && other.bracket() < 0).count();
        let wanted = open.iter().filter(|open| fits(open)).count();
        let same_line = !self.attempt.source.get(top.token.start..token.start).unwrap_or("").contains('\n');
        if wanted > spare.min(1) && (wanted > 0) {
            while let Some(top) = open.last().copied() {
                open.pop();
                if fits(&top) {
                    return Some(token);
                }
                self.insert_close(top.token);
            }
            return Some(token);
        }
        let opened = Some(Span::new(self.file, top.token.start, top.token.end));
        let diag = Diag::from(Unopened { close: token.text.into(), at: span, open: opened });
        if !same_line {
            self.sink.push(diag.fix(format!("remove `{}`", token.text), span, ""));
            self.attempt.replace(token.start, token.end, "");
            return None;
        }
        let right = closing(top.token.text);
        self.sink.push(diag.fix(format!("write `{right}`"), span, right).help(format!("write `{right}`")));
        self.attempt.replace(token.start, token.end, right);
        open.pop();
        Some(View { text: right, ..token })
    }

    /// Closes a bracket behind the last token so far.
    fn insert_close(&mut self, open: View<'a>) {
        let lines = self.view.iter().rev().take_while(|token| token.sort == Sort::Newline).count();
        let place = self.view.len() - lines;
        let end = place.checked_sub(1).and_then(|last| self.view.get(last)).map_or(open.end, |last| last.end);
        let close = closing(open.text);
        let one_line = !self.attempt.source.get(open.start..end).unwrap_or("").contains('\n');
        let text = match (close, one_line) {
            ("}", true) => " }".to_string(),
            ("}", false) => format!("\n{}}}", " ".repeat(indent(self.attempt.source, open.start))),
            _ => close.to_string(),
        };
        let at = Span::new(self.file, open.start, open.end);
        let diag = Diag::from(Unclosed { open: open.text.into(), close: close.into(), at, others: vec![] });
        self.sink.push(diag.fix(format!("add `{close}`"), Span::at(self.file, end), text));
        self.attempt.insert(end, close);
        self.view.insert(place, View { sort: Sort::Sign, start: end, end, text: close });
    }

    /// Brackets that are open where the chunk ends: one report for all of them.
    fn never_closed(&mut self, open: &[Open<'a>]) {
        let Some(first) = open.first() else { return };
        let source = self.attempt.source;
        let lines = self.view.iter().rev().take_while(|token| token.sort == Sort::Newline).count();
        let place = self.view.len() - lines;
        let end = place
            .checked_sub(1)
            .and_then(|last| self.view.get(last))
            .map_or(first.token.end, |last| last.end);
        let mut text = String::new();
        for (at, one) in open.iter().rev().enumerate() {
            let close = closing(one.token.text);
            let broken = source.get(one.token.start..end).unwrap_or("").contains('\n');
            if close == "}" {
                text.push_str(&if broken { format!("\n{}", " ".repeat(one.indent)) } else { " ".into() });
            }
            text.push_str(close);
            self.view.insert(place + at, View { sort: Sort::Sign, start: end, end, text: close });
        }
        let span = |open: &Open<'_>| Span::new(self.file, open.token.start, open.token.end);
        let (open_text, close) = (first.token.text, closing(first.token.text));
        let others = open.iter().skip(1).map(span).collect();
        let diag =
            Diag::from(Unclosed { open: open_text.into(), close: close.into(), at: span(first), others });
        self.sink.push(diag.fix(format!("add `{}`", text.trim()), Span::at(self.file, end), text.clone()));
        self.attempt.insert(end, &text);
    }
}

fn balanced(view: &[View<'_>]) -> bool {
    let mut open = vec![];
    for token in view {
        match token.bracket() {
            1 => open.push(closing(token.text)),
            -1 if open.pop() != Some(token.text) => return false,
            _ => {}
        }
    }
    open.is_empty()
}
