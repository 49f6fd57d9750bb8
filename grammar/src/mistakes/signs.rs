//! Words and signs of other languages.

use super::Explain;
use super::values::touch;
use super::view::{Sort, bytes};
use crate::codes::e0009_foreign_word::ForeignWord;
use crate::{Diag, Edit, Span};
use std::ops::Range;

/// What follows a sign and whether an operand was read; `None` inside if the rest of the value is hidden.
type Next = Option<(usize, bool)>;

impl Explain<'_, '_> {
    /// A sign of another language, reported and patched; `None` if there is none here.
    pub(super) fn foreign_sign(&mut self, at: usize, operand: bool, range: &Range<usize>) -> Option<Next> {
        let token = self.view[at];
        let next = self.view.get(at + 1).copied().filter(|next| touch(&token, next));
        let pair = next.map_or("", |next| next.text);
        match (token.text, pair) {
            ("&", "&") if operand => self.swap(at, 2, "&&", "and", false),
            ("|", "|") if operand => self.swap(at, 2, "||", "or", false),
            ("!", _) if !operand => self.swap(at, 1, "!", "not ", false),
            ("/", "/") => self.comment(at, range),
            (";", _) if operand => self.swap(at, 1, ";", "", true),
            ("'", _) if !operand => self.single_quotes(at, range),
            ("lambda", _) if !operand && self.sort(at + 1) == Some(Sort::Word) => {
                self.lambda(at, range.end);
                Some(None)
            }
            _ if token.sort == Sort::Word && !operand && next.is_some_and(|next| next.sort == Sort::Text) => {
                let meant = self.text(at + 1..at + 2);
                let place = self.span(at);
                let facts = ForeignWord { word: format!("{}\"…\"", token.text), meant, at: place };
                let mut diag = Diag::from(facts);
                diag.fixes.clear();
                self.sink.push(
                    diag.fix("remove the letter", place, "").help("text interpolates `{value}` by itself"),
                );
                self.attempt.replace(token.start, token.end, "");
                Some(Some((at + 2, true)))
            }
            _ => None,
        }
    }

    /// Replaces signs by what they mean here.
    fn swap(&mut self, at: usize, count: usize, word: &str, meant: &str, operand: bool) -> Option<Next> {
        let place = self.span(at).to(self.span(at + count - 1));
        let shown = if meant.is_empty() { "a line end".to_string() } else { meant.trim().to_string() };
        let mut diag = Diag::from(ForeignWord { word: word.into(), meant: shown, at: place });
        diag.fixes.clear();
        let title =
            if meant.is_empty() { format!("remove `{word}`") } else { format!("write `{}`", meant.trim()) };
        // Words need blanks around them where signs do not.
        let source = self.attempt.source;
        let before =
            source.get(..place.start as usize).is_some_and(|text| text.ends_with(char::is_whitespace));
        let after =
            source.get(place.end as usize..).is_some_and(|text| text.starts_with(char::is_whitespace));
        let blank = |there: bool| if there || meant.is_empty() || meant.ends_with(' ') { "" } else { " " };
        let text = format!("{}{meant}{}", blank(before), blank(after));
        self.sink.push(diag.fix(title, place, text.clone()));
        self.attempt.replace(place.start as usize, place.end as usize, &text);
        Some(Some((at + count, operand)))
    }

    /// `// …`
    fn comment(&mut self, at: usize, range: &Range<usize>) -> Option<Next> {
        let end = (at..range.end).find(|at| self.sort(*at) == Some(Sort::Newline)).unwrap_or(range.end);
        let place = self.span(at).to(self.span(at + 1));
        let mut diag = Diag::from(ForeignWord { word: "//".into(), meant: "#".into(), at: place });
        diag.fixes.clear();
        self.sink.push(diag.fix("write `#`", place, "#").help("comments begin with `#`; division is `/`"));
        let operand = at > range.start;
        if let Some((start, end)) = bytes(&self.view, at, end) {
            self.attempt.replace(start, end, "");
        }
        Some(Some((end, operand)))
    }

    /// `'text'`
    fn single_quotes(&mut self, at: usize, range: &Range<usize>) -> Option<Next> {
        let close = (at + 1..range.end)
            .take_while(|at| self.sort(*at) != Some(Sort::Newline))
            .find(|at| self.is(*at, "'"))?;
        let (open, last) = (self.span(at), self.span(close));
        let place = open.to(last);
        let inner = self.attempt.source.get(open.end as usize..last.start as usize).unwrap_or("").to_string();
        let mut diag =
            Diag::from(ForeignWord { word: "'…'".into(), meant: format!("\"{inner}\""), at: place });
        diag.fixes.clear();
        let quote = |span: Span| Edit { span, replacement: "\"".into() };
        let plain = !inner.contains(['"', '\\', '{', '}']);
        let edits = vec![quote(open), quote(last)];
        self.sink.push(if plain { diag.fix_edits("use double quotes", edits) } else { diag });
        self.attempt.hide(place.start as usize, place.end as usize, true);
        Some(Some((close + 1, true)))
    }

    /// `lambda x: …`
    pub(super) fn lambda(&mut self, at: usize, to: usize) {
        let place = self.span(at);
        let mut diag = Diag::from(ForeignWord { word: "lambda".into(), meant: ".column".into(), at: place });
        diag.fixes.clear();
        self.sink.push(diag.help("there are no functions: a condition speaks of the row's columns, as in `keep_if(.lang == \"en\")`"));
        self.hide(at..to, true);
    }
}
