//! Mistakes of values: operands and operators must alternate, so the first place where they do not is the mistake.

use super::view::{Sort, View, is_infix, partner, segments};
use super::{Explain, named, unexpected};
use crate::codes::e0007_separator::Separator;
use crate::codes::e0008_trailing_operator::TrailingOperator;
use crate::{Diag, Edit, Span};
use std::ops::Range;

/// Where a value stands: what may follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// After the `=` of an item.
    Top,
    /// After the `=` of a member.
    Member,
    /// In the brackets of a call.
    Argument,
    /// In a list.
    Element,
    /// In brackets of its own.
    Bracket,
    /// A whole text.
    Alone,
}

impl Explain<'_, '_> {
    /// Walks over a value; stops at the first mistake that cannot be patched.
    pub(super) fn value(&mut self, range: Range<usize>, place: Place) {
        let mut at = range.start;
        let mut operand = false;
        let mut last = None;
        let mut open_ifs = 0;
        while at < range.end.min(self.view.len()) {
            let token = self.view[at];
            if token.sort == Sort::Newline {
                at += 1;
                if operand && place == Place::Top && !self.continues(at, range.end) {
                    return self.leftover(at, range.end);
                }
                continue;
            }
            if let Some(next) = self.foreign_sign(at, operand, &range) {
                let Some((next, is_operand)) = next else { return };
                (at, operand) = (next, is_operand);
                last = Some(at.saturating_sub(1));
                continue;
            }
            open_ifs += match token.text {
                "if" if !operand => 1,
                "else" if operand && open_ifs > 0 => -1,
                _ => 0,
            };
            let next =
                if operand { self.after_operand(at, &range, place) } else { self.operand(at, last, &range) };
            let Some((next, is_operand)) = next else { return };
            last = Some(at);
            (at, operand) = (next, is_operand);
        }
        if !operand {
            self.value_missing(last, &range);
        } else if open_ifs > 0 {
            let end = self.span(last.unwrap_or(range.start));
            self.sink.push(unexpected(end, "end of the value", "an `if` has `then` and `else`"));
            self.hide(range, true);
        }
    }

    /// Where an operand must stand: gives what follows it and whether it was one.
    fn operand(&mut self, at: usize, last: Option<usize>, range: &Range<usize>) -> Option<(usize, bool)> {
        let token = self.view[at];
        self.line_before(at, last);
        match token.sort {
            Sort::Word | Sort::Number | Sort::Text | Sort::Lines => return Some((at + 1, true)),
            Sort::Key => match token.text {
                "true" | "false" | "none" => return Some((at + 1, true)),
                "not" | "if" => return Some((at + 1, false)),
                _ => {}
            },
            Sort::Sign => match token.text {
                "-" => return Some((at + 1, false)),
                "." if self.sort(at + 1) == Some(Sort::Word) => return Some((at + 2, true)),
                "(" | "[" | "{" => {
                    let close = partner(&self.view, at);
                    self.group(at, close, false);
                    return Some((close + 1, true));
                }
                _ => {}
            },
            Sort::Bad | Sort::Newline => {}
        }
        let reserved = token.sort == Sort::Key && !is_infix(&token);
        let wanted =
            if reserved { "this word is reserved; a value is wanted" } else { "a value is wanted here" };
        self.sink.push(unexpected(self.span(at), &named(&token), wanted));
        let repeated = last.is_some_and(|last| self.view[last].text == token.text) && is_infix(&token);
        if repeated {
            self.attempt.replace(token.start, token.end, "");
            return Some((at + 1, false));
        }
        self.hide(range.clone(), true);
        None
    }

    /// An operand on the line after its operator: the operator belongs to this line.
    fn line_before(&mut self, at: usize, last: Option<usize>) {
        let Some(last) = last.filter(|last| is_infix(&self.view[*last])) else { return };
        if !(last + 1..at).any(|at| self.sort(at) == Some(Sort::Newline)) {
            return;
        }
        let operator = self.view[last];
        let place = self.span(last);
        let source = self.attempt.source;
        let blanks = source
            .get(..operator.start)
            .map_or(0, |text| text.len() - text.trim_end_matches([' ', '\t']).len());
        let old = Span { start: place.start.saturating_sub(u32::try_from(blanks).unwrap_or(0)), ..place };
        let new = self.span(at).before();
        let edits = vec![
            Edit { span: old, replacement: String::new() },
            Edit { span: new, replacement: format!("{} ", operator.text) },
        ];
        let diag = Diag::from(TrailingOperator { operator: operator.text.into(), at: place });
        self.sink.push(diag.fix_edits(format!("move `{}` to the next line", operator.text), edits));
        self.attempt.replace(operator.start, operator.end, "");
        self.attempt.insert(self.view[at].start, &format!("{} ", operator.text));
    }

    /// Behind an operand: an operator, a postfix, or a mistake.
    fn after_operand(&mut self, at: usize, range: &Range<usize>, place: Place) -> Option<(usize, bool)> {
        let token = self.view[at];
        let broken_line = at > range.start && self.sort(at - 1) == Some(Sort::Newline);
        match (token.sort, token.text) {
            _ if is_infix(&token) => return Some((at + 1, false)),
            (Sort::Lines, _) => return Some((at + 1, true)),
            (Sort::Key, "then" | "else" | "if") => return Some((at + 1, false)),
            (Sort::Key, "for") if place == Place::Element => return Some(self.tail(at)),
            (Sort::Sign, ".") if self.sort(at + 1) == Some(Sort::Word) && !broken_line => {
                return Some((at + 2, true));
            }
            (Sort::Sign, "(" | "[" | "{") if !broken_line => {
                let close = partner(&self.view, at);
                self.group(at, close, true);
                return Some((close + 1, true));
            }
            _ => {}
        }
        let begins = matches!(token.sort, Sort::Word | Sort::Number | Sort::Text)
            || matches!(token.text, "true" | "false" | "none" | "not" | "[" | "{" | "." | "(");
        let member = token.sort == Sort::Word && (self.is(at + 1, "=") || self.is(at + 1, ":"));
        let separated = match place {
            Place::Member => member,
            Place::Argument | Place::Element => begins,
            Place::Top | Place::Bracket | Place::Alone => false,
        };
        if separated {
            return self.separator_missing(at, range, place);
        }
        let help = (token.text == "=").then_some("`=` gives a value, `==` compares");
        let wanted = match place {
            Place::Argument | Place::Element => "an operator, a comma or the closing bracket is wanted here",
            Place::Member => "an operator or the end of the member is wanted here",
            Place::Bracket => "an operator or the closing bracket is wanted here",
            Place::Top | Place::Alone => "an operator or the end of the value is wanted here",
        };
        let diag = unexpected(self.span(at), &named(&token), wanted);
        self.sink.push(match help {
            Some(help) => diag.help(help).fix("write `==`", self.span(at), "=="),
            None => diag,
        });
        if token.text == "=" {
            self.attempt.replace(token.start, token.end, "==");
            return Some((at + 1, false));
        }
        self.hide(range.clone(), true);
        None
    }

    fn separator_missing(&mut self, at: usize, range: &Range<usize>, place: Place) -> Option<(usize, bool)> {
        let before = (range.start..at).rev().find(|at| self.sort(*at) != Some(Sort::Newline)).unwrap_or(at);
        let comma = self.span(before).after();
        let what =
            if place == Place::Member { "a comma or line end is missing" } else { "a comma is missing" };
        let token = named(&self.view[at]);
        let facts = Separator {
            message: format!("{what} before {token}"),
            advice: "a comma belongs here".into(),
            at: comma,
        };
        self.sink.push(Diag::from(facts).fix("add a comma", comma, ","));
        self.attempt.insert(comma.start as usize, ", ");
        match place {
            Place::Member => self.member(at, range.end),
            Place::Argument => self.argument(at, range.end),
            _ => self.value(at..range.end, place),
        }
        None
    }

    /// `for name in list if condition`, behind the element of a list.
    fn tail(&mut self, at: usize) -> (usize, bool) {
        let ok = self.sort(at + 1) == Some(Sort::Word) && self.is(at + 2, "in");
        if ok { (at + 3, false) } else { (at + 1, false) }
    }

    /// What stands between brackets; `behind` an operand they are a call, an index or changes.
    fn group(&mut self, open: usize, close: usize, behind: bool) {
        match (self.view[open].text, behind) {
            ("{", _) => self.block(open, close),
            ("(", false) => self.value(open + 1..close, Place::Bracket),
            ("(", true) => self.parts(open, close, true),
            ("[", true) => self.value(open + 1..close, Place::Bracket),
            _ => self.parts(open, close, false),
        }
    }

    /// Arguments or elements.
    fn parts(&mut self, open: usize, close: usize, arguments: bool) {
        for (from, to) in segments(&self.view, open + 1, close, false) {
            if (from..to).all(|at| self.sort(at) == Some(Sort::Newline)) {
                if self.is(to, ",") {
                    self.extra_comma(to);
                }
            } else if arguments {
                self.argument(from, to);
            } else {
                self.value(from..to, Place::Element);
            }
        }
    }

    fn argument(&mut self, from: usize, to: usize) {
        let from = (from..to).find(|at| self.sort(*at) != Some(Sort::Newline)).unwrap_or(from);
        if self.sort(from) == Some(Sort::Word) && from + 1 < to {
            let name = self.view[from].text.to_string();
            if name == "lambda" && self.sort(from + 1) == Some(Sort::Word) {
                return self.lambda(from, to);
            }
            if self.is(from + 1, "=") {
                return self.given(from + 1, to, Place::Argument);
            }
            if self.is(from + 1, ":") {
                return self.wrong_equals(&name, from + 1, to, Place::Argument);
            }
        }
        self.value(from..to, Place::Argument);
    }

    /// The value ends where an operand is wanted.
    fn value_missing(&mut self, last: Option<usize>, range: &Range<usize>) {
        let Some(last) = last else {
            let at = self.span(range.end).before();
            self.sink.push(unexpected(at, "the end of the value", "a value is wanted here"));
            self.attempt.insert(at.start as usize, " 0");
            return;
        };
        let place = self.span(last);
        let what = format!("end after `{}`", self.view[last].text);
        self.sink.push(unexpected(place, &what, "a value is wanted behind this"));
        self.attempt.insert(place.end as usize, " 0");
    }

    /// Whether the line that begins here goes on with the value before.
    fn continues(&self, at: usize, to: usize) -> bool {
        let next = (at..to).find(|at| self.sort(*at) != Some(Sort::Newline));
        next.is_none_or(|next| {
            let token = &self.view[next];
            is_infix(token) || token.sort == Sort::Lines || matches!(token.text, "then" | "else" | "&" | "|")
        })
    }

    /// Lines behind the value of an item.
    fn leftover(&mut self, from: usize, to: usize) {
        let from = (from..to).find(|at| self.sort(*at) != Some(Sort::Newline)).unwrap_or(from);
        let Some(token) = self.view.get(from).copied() else { return };
        self.sink.push(unexpected(self.span(from), &named(&token), "the item ends on the line before"));
        self.hide(from..to, false);
    }
}

/// Whether two tokens touch.
pub(super) fn touch(a: &View<'_>, b: &View<'_>) -> bool {
    a.end == b.start
}
