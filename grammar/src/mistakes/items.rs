//! Mistakes of items, blocks and members.

use super::values::Place;
use super::view::{self, Sort, View, bytes, is_infix, partner, segments};
use super::{Explain, named, unexpected};
use crate::codes::e0005_value_missing::ValueMissing;
use crate::codes::e0006_equals_missing::EqualsMissing;
use crate::codes::e0007_separator::Separator;
use crate::codes::e0010_member_outside::MemberOutside;
use crate::{Diag, Edit, Span, nearest};
use std::ops::Range;

impl<'a> Explain<'a, '_> {
    /// The whole chunk: one item.
    pub(super) fn chunk(&mut self) {
        let all = 0..self.view.len();
        if self.token(0).is_some_and(|first| first.text == "llmp") {
            return;
        }
        self.item(all);
    }

    pub(super) fn token(&self, at: usize) -> Option<View<'a>> {
        self.view.get(at).copied()
    }

    pub(super) fn span(&self, at: usize) -> Span {
        self.view.get(at).map_or(Span::at(self.file, self.attempt.range.end), |token| {
            Span::new(self.file, token.start, token.end)
        })
    }

    pub(super) fn is(&self, at: usize, text: &str) -> bool {
        self.view.get(at).is_some_and(|token| token.text == text)
    }

    pub(super) fn sort(&self, at: usize) -> Option<Sort> {
        self.view.get(at).map(|token| token.sort)
    }

    pub(super) fn text(&self, range: Range<usize>) -> String {
        let bytes = bytes(&self.view, range.start, range.end.min(self.view.len()));
        bytes.and_then(|(start, end)| self.attempt.source.get(start..end)).unwrap_or("").to_string()
    }

    fn skip_lines(&self, mut at: usize, to: usize) -> usize {
        while at < to && self.sort(at) == Some(Sort::Newline) {
            at += 1;
        }
        at
    }

    /// Reports a problem that the catalogue cannot patch; hides the range.
    pub(super) fn hide(&mut self, range: Range<usize>, filled: bool) {
        if let Some((start, end)) = bytes(&self.view, range.start, range.end.min(self.view.len())) {
            self.attempt.hide(start, end, filled);
        }
    }

    fn item(&mut self, range: Range<usize>) {
        let mut at = self.skip_lines(range.start, range.end);
        while self.is(at, "@") {
            at += 2;
            if self.is(at, "(") {
                at = partner(&self.view, at) + 1;
            }
            at = self.skip_lines(at, range.end);
        }
        let Some(first) = self.token(at) else { return };
        match (first.sort, first.text, self.sort(at + 1)) {
            (Sort::Key, "let" | "param", _) => self.named_value(at + 1, range.end, first.text == "param"),
            (Sort::Key, "check", _) => self.check(at, range.end),
            (Sort::Key, "variant" | "rounds", _) => self.body(at, range.end, first.text == "rounds"),
            (Sort::Key, "use", _) => {}
            (Sort::Word, "carry" | "next", Some(Sort::Word)) => self.named_value(at + 1, range.end, false),
            (Sort::Word, word, _) if self.keyword(word, at, range.end).is_some() => {
                let keyword = self.keyword(word, at, range.end).unwrap_or_default();
                self.misspelt(keyword, at);
                match keyword {
                    "check" => self.check(at, range.end),
                    "rounds" | "variant" => self.body(at, range.end, keyword == "rounds"),
                    _ => {}
                }
            }
            (Sort::Word, _, Some(Sort::Word)) => self.decl(at, range.end),
            (Sort::Word, _, _) => self.stray(at, range),
            _ => {
                let wanted = "a definition such as `kind name = value` begins here";
                self.sink.push(unexpected(self.span(at), &named(&first), wanted));
                self.hide(range, false);
            }
        }
    }

    /// The keyword that a word probably is, if what follows looks like it.
    fn keyword(&self, word: &str, at: usize, to: usize) -> Option<&'static str> {
        let near = nearest(word, &["check", "use", "rounds", "variant"]);
        let keyword = ["check", "use", "rounds", "variant"].into_iter().find(|known| Some(*known) == near)?;
        let has = |text: &str| (at..to).any(|at| self.is(at, text) && view::depth(&self.view, 0, at) == 0);
        let fits = match keyword {
            "check" => has("else"),
            "use" => has("from"),
            "rounds" => self.is(at + 2, "for"),
            _ => self.is(at + 2, "{"),
        };
        fits.then_some(keyword)
    }

    /// Reports a misspelt keyword; pest sees the right one.
    fn misspelt(&mut self, keyword: &str, at: usize) {
        let Some(token) = self.token(at) else { return };
        let diag = unexpected(self.span(at), &named(&token), "an item begins with its kind or a keyword");
        let help = format!("did you mean `{keyword}`?");
        self.sink.push(diag.help(help).fix(format!("write `{keyword}`"), self.span(at), keyword));
        self.attempt.replace(token.start, token.end, keyword);
    }

    /// A line that begins like a member but stands in no item.
    fn stray(&mut self, at: usize, range: Range<usize>) {
        let mut end = at + 1;
        while self.is(end, ".") {
            end += 2;
        }
        let name = self.text(at..end);
        if self.is(end, "=") || self.is(end, ":") {
            let start = (end == at + 1 && self.is(end, "=")).then(|| self.span(at).before());
            self.sink.push(MemberOutside { name, at: self.span(at), start });
        } else {
            let wanted = "a definition is `kind name = value` or `kind name { … }`";
            self.sink.push(unexpected(self.span(at), &format!("`{name}`"), wanted));
        }
        self.hide(range, false);
    }

    /// `let name = value`, `param name: Type = value`, `carry name = value`.
    fn named_value(&mut self, name: usize, to: usize, typed: bool) {
        let at = name + 1;
        if self.is(at, "=") && !typed {
            return self.top_value(at, to);
        }
        if self.is(at, ":") {
            let equals = (at..to).find(|at| self.is(*at, "=") && view::depth(&self.view, name, *at) == 0);
            return equals.map_or((), |equals| self.top_value(equals, to));
        }
        if typed && self.is(at, "=") {
            let wanted = "a param has a type: `param name: Type = value`";
            self.sink.push(unexpected(self.span(at), "`=`", wanted));
            self.attempt.insert(self.span(at).start as usize, ": Any ");
            return self.top_value(at, to);
        }
        if at < to && self.begins_value(at) {
            self.equals_missing(name, at, to);
            self.value(at..to, Place::Top);
        }
    }

    fn check(&mut self, at: usize, to: usize) {
        let otherwise =
            (at..to).rev().find(|at| self.is(*at, "else") && view::depth(&self.view, 0, *at) == 0);
        match otherwise {
            Some(otherwise) => self.value(at + 1..otherwise, Place::Top),
            None => {
                let last = (at..to).rev().find(|at| self.sort(*at) != Some(Sort::Newline)).unwrap_or(at);
                let end = self.span(last).after();
                let wanted = "a check says why: `check condition else \"why\"`";
                self.sink.push(unexpected(end, "end of the check", wanted));
                self.attempt.insert(end.start as usize, " else \"\"");
                self.value(at + 1..to, Place::Top);
            }
        }
    }

    /// `variant name { … }`, `rounds name for … { … }`.
    fn body(&mut self, at: usize, to: usize, rounds: bool) {
        let Some(open) = (at..to).find(|at| self.is(*at, "{")) else { return };
        let close = partner(&self.view, open);
        if rounds {
            for (from, to) in segments(&self.view, open + 1, close, true) {
                self.item(from..to);
            }
        } else {
            self.block(open, close);
        }
        self.rest(close + 1, to);
    }

    fn decl(&mut self, kind: usize, to: usize) {
        let name = kind + 1;
        let mut at = name + 1;
        if self.is(at, "(") || self.is(at, "[") {
            at = partner(&self.view, at) + 1;
        }
        if self.is(at, ":") && !self.is(at + 1, "{") {
            while at < to && !matches!(self.token(at).map_or("", |token| token.text), "=" | "{" | "like") {
                if self.sort(at) == Some(Sort::Newline) {
                    return;
                }
                at += 1;
            }
        }
        if self.is(at, "like") {
            at += 1;
            while at < to && (self.sort(at) == Some(Sort::Word) || self.is(at, ".")) {
                at += 1;
            }
        }
        if self.is(at, "{") {
            let close = partner(&self.view, at);
            self.block(at, close);
            return self.rest(close + 1, to);
        }
        if self.is(at, "=") {
            return self.top_value(at, to);
        }
        if at < to && self.begins_value(at) && self.sort(at) != Some(Sort::Newline) {
            self.equals_missing(name, at, to);
            return self.value(at..to, Place::Top);
        }
        if at >= to || self.sort(at) == Some(Sort::Newline) {
            let end = self.span(at - 1).after();
            self.sink.push(unexpected(end, "line end", "a value after `=`, or a block `{ … }`"));
            self.hide(kind..to, false);
        }
    }

    /// What follows the block of an item.
    fn rest(&mut self, from: usize, to: usize) {
        let from = self.skip_lines(from, to);
        if from < to {
            if self.sort(from) == Some(Sort::Word) && (self.is(from + 1, "=") || self.is(from + 1, ":")) {
                return self.stray(from, from..to);
            }
            let token = self.token(from).map_or(String::new(), |token| named(&token));
            self.sink.push(unexpected(self.span(from), &token, "the item ends before this"));
            self.hide(from..to, false);
        }
    }

    /// The value after the `=` of an item.
    fn top_value(&mut self, equals: usize, to: usize) {
        self.given(equals, to, Place::Top);
    }

    /// What follows an `=`: a value that begins on its line.
    pub(super) fn given(&mut self, equals: usize, to: usize, place: Place) {
        let first = self.skip_lines(equals + 1, to);
        if first >= to {
            self.sink.push(ValueMissing { at: self.span(equals) });
            self.attempt.insert(self.span(equals).end as usize, " 0");
            return;
        }
        if first > equals + 1 && self.sort(first) != Some(Sort::Lines) {
            let gap = Span { start: self.span(equals).end, end: self.span(first).start, file: self.file };
            let blank = self.attempt.source.get(gap.range()).is_some_and(|text| text.trim().is_empty());
            let diag = Diag::from(ValueMissing { at: self.span(equals) });
            self.sink.push(if blank { diag.fix("begin the value on this line", gap, " ") } else { diag });
            if blank {
                self.attempt.replace(gap.start as usize, gap.end as usize, " ");
            } else {
                self.hide(first..to, false);
                self.attempt.insert(self.span(equals).end as usize, " 0");
                return;
            }
        }
        self.value(first..to, place);
    }

    fn equals_missing(&mut self, name: usize, at: usize, to: usize) {
        let end = (at..to).find(|at| self.sort(*at) == Some(Sort::Newline)).unwrap_or(to);
        let place = self.span(name).after();
        let facts = EqualsMissing { name: self.text(name..name + 1), value: self.text(at..end), at: place };
        self.sink.push(Diag::from(facts).fix("add `=`", self.span(at).before(), "= "));
        self.attempt.insert(self.span(at).start as usize, "= ");
    }

    fn begins_value(&self, at: usize) -> bool {
        match self.sort(at) {
            Some(Sort::Word | Sort::Number | Sort::Text) => true,
            Some(Sort::Key) => matches!(
                self.token(at).map_or("", |token| token.text),
                "true" | "false" | "none" | "not" | "if"
            ),
            Some(Sort::Sign) => self.is(at, "["),
            _ => false,
        }
    }

    /// Members between braces.
    pub(super) fn block(&mut self, open: usize, close: usize) {
        for (from, to) in segments(&self.view, open + 1, close, true) {
            let from = self.skip_lines(from, to);
            if from < to {
                self.member(from, to);
            } else if self.is(to, ",") {
                self.extra_comma(to);
            }
        }
    }

    /// A comma with nothing before it.
    pub(super) fn extra_comma(&mut self, comma: usize) {
        let at = self.span(comma);
        let facts = Separator {
            message: "one comma too many".into(),
            advice: "nothing stands before this comma".into(),
            at,
        };
        self.sink.push(Diag::from(facts).fix("remove the comma", at, ""));
        self.attempt.replace(at.start as usize, at.end as usize, "");
    }

    /// One member: `path = value`.
    pub(super) fn member(&mut self, from: usize, to: usize) {
        let mut from = from;
        while self.is(from, "@") {
            from += 2;
            if self.is(from, "(") {
                from = partner(&self.view, from) + 1;
            }
            from = self.skip_lines(from, to);
        }
        let mut at = from;
        match self.sort(at) {
            Some(Sort::Word) => at += 1,
            Some(Sort::Text) if self.is(at + 1, ":") || self.is(at + 1, "=") => {
                return self.quoted_key(at, to);
            }
            Some(_) => {
                let token = self.token(at).map_or(String::new(), |token| named(&token));
                self.sink.push(unexpected(self.span(at), &token, "a member is `name = value`"));
                return self.hide(from..to, false);
            }
            None => return,
        }
        while at < to && (self.is(at, ".") || self.is(at, "[")) {
            at = if self.is(at, "[") { partner(&self.view, at) + 1 } else { at + 2 };
        }
        let at = at.min(to);
        let name = self.text(from..at);
        if at < to && self.is(at, "=") {
            self.given(at, to, Place::Member)
        } else if at < to && (self.is(at, ":") || self.is(at, "==")) {
            self.wrong_equals(&name, at, to, Place::Member)
        } else if self.skip_lines(at, to) >= to {
            let place = self.span(at - 1).after();
            self.sink.push(EqualsMissing { name, value: "…".into(), at: place });
            self.attempt.insert(place.start as usize, " = 0");
        } else if self.sort(at) == Some(Sort::Word)
            && (self.is(at + 1, "{") || self.is(at + 1, "=") || self.is(at + 1, "like"))
        {
            let wanted = "an item cannot stand inside another: is a `}` missing before it?";
            self.sink.push(unexpected(self.span(from), &format!("item `{name}`"), wanted));
            self.hide(from..to, false);
        } else if is_infix(&self.view[at]) || self.sort(at) == Some(Sort::Newline) {
            let token = named(&self.view[at]);
            self.sink.push(unexpected(self.span(at), &token, "a member is `name = value`"));
            self.hide(from..to, false);
        } else {
            let place = self.span(at - 1).after();
            let facts = EqualsMissing { name, value: self.text(at..to), at: place };
            self.sink.push(Diag::from(facts).fix("add `=`", self.span(at).before(), "= "));
            self.attempt.insert(self.span(at).start as usize, "= ");
            self.value(at..to, Place::Member);
        }
    }

    /// `name: value`, `name == value`, `name := value`.
    pub(super) fn wrong_equals(&mut self, name: &str, at: usize, to: usize, place: Place) {
        let double = self.is(at, ":") && self.is(at + 1, "=") && self.span(at).end == self.span(at + 1).start;
        let last = if double { at + 1 } else { at };
        let sign = self.span(at).to(self.span(last));
        let blank = self.attempt.source.get(..sign.start as usize).is_some_and(|text| text.ends_with(' '));
        let with = if blank { "=" } else { " =" };
        let value = self.text(last + 1..to);
        let value = if value.is_empty() { "…".to_string() } else { value };
        let facts = EqualsMissing { name: name.into(), value, at: sign };
        self.sink.push(Diag::from(facts).fix("write `=`", sign, with));
        self.attempt.replace(sign.start as usize, sign.end as usize, with);
        let first = self.skip_lines(last + 1, to);
        if first >= to {
            self.attempt.insert(sign.end as usize, " 0");
        } else {
            self.value(first..to, place);
        }
    }

    /// `"name": value`, as in JSON.
    fn quoted_key(&mut self, at: usize, to: usize) {
        let name = self.text(at..at + 1).trim_matches('"').to_string();
        let key = self.span(at).to(self.span(at + 1));
        let word = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let facts = EqualsMissing { name: name.clone(), value: self.text(at + 2..to), at: key };
        let edit = Edit { span: key, replacement: format!("{name} =") };
        let diag = Diag::from(facts);
        self.sink.push(if word {
            diag.fix_edits("write it without quotes, with `=`", vec![edit])
        } else {
            diag
        });
        self.hide(at..to, false);
    }
}
