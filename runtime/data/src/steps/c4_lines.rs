//! `c4_lines`: removes lines that are no sentences.

use std::sync::Arc;

use llmp_stdlib::Problem;
use regex::Regex;

use super::{
    Built, Map, Outcome, Step,
    arguments::above_zero,
    sentences::sentences,
    words::{chars, lines, words},
};
use crate::{document::Document, error::Result, readers::Roots};

llmp_stdlib::def! {
    /// Removes lines that are no sentences, after C4 (Raffel et al. 2020, arXiv:1910.10683, section 2.2, and its code).
    ///
    /// | A line goes when |
    /// |---|
    /// | a word of it is longer than `max_word` characters |
    /// | it does not end with `.`, `?`, `!` or a straight quotation mark, or ends with `...` (where `terminal`) |
    /// | it has fewer than `min_words` words |
    /// | it speaks of javascript |
    /// | it speaks of a policy: `terms of use`, `privacy policy`, `cookie policy`, `uses cookies`, `use of cookies`, `use cookies` |
    ///
    /// Lines that stay lose the whitespace around them and the marks `[1]`, `[]`, `[edit]` and `[citation needed]`; blank lines
    /// go. A document with fewer than `min_sentences` sentences left is dropped. Reason: `few sentences`.
    ///
    /// Lines, rules and their order are those of datatrove's `C4QualityFilter`; the rules of that filter on whole documents
    /// are `c4_quality`. Where both would drop a document, the reason is that of the step that comes first; a curly bracket in
    /// a line that goes is gone with it. Sentences end at terminal marks followed by whitespace, abbreviations left aside;
    /// datatrove asks a tokenizer for the language.
    ///
    /// ```llmp
    /// dataset clean = web |> c4_lines()
    /// ```
    C4Lines = "c4_lines", rev 1, rows Docs -> Docs, check c4_sizes {
        /// Fewest words of a line (C4: 3 in its released code, 5 in the paper).
        min_words: u64 = "3",
        /// Fewest sentences of a document (C4: 5).
        min_sentences: u64 = "5",
        /// Lines must end with a terminal mark. FineWeb leaves this rule out: it alone removes 30% of the tokens.
        terminal: bool = "true",
        /// Longest word of a line, in characters.
        max_word: u64 = "1000",
    }
}

fn c4_sizes(it: &C4Lines) -> Vec<Problem> {
    above_zero("min_words", it.min_words).into_iter().chain(above_zero("max_word", it.max_word)).collect()
}

/// What a line on policies holds.
const POLICY: &str =
    "(?i-u)javascript|terms of use|privacy policy|cookie policy|uses cookies|use of cookies|use cookies";

impl Step for C4Lines {
    fn build(self, _roots: &Roots) -> Result<Built> {
        Ok(Built::Map(Arc::new(Lines {
            settings: self,
            unwanted: super::text::pattern("c4_lines", POLICY)?,
        })))
    }
}

/// The step with its pattern.
#[derive(Debug)]
struct Lines {
    settings: C4Lines,
    unwanted: Regex,
}

impl Map for Lines {
    fn name(&self) -> &'static str {
        "c4_lines"
    }

    fn apply(&self, doc: &mut Document) -> Outcome {
        let (text, sentences) = self.clean(&doc.text);
        if sentences < self.settings.min_sentences {
            return Outcome::Drop("few sentences".into());
        }
        doc.text = text;
        Outcome::Keep
    }
}

impl Lines {
    /// The lines that stay, and their sentences (counted up to the least that is wanted).
    fn clean(&self, text: &str) -> (String, u64) {
        let it = &self.settings;
        // Most texts hold none of them: one look at the whole spares a look at every line.
        let unwanted = self.unwanted.is_match(text);
        let cited = text.contains('[');
        let (mut kept, mut found) = (String::with_capacity(text.len()), 0);
        let mut line_kept = String::new();
        for line in lines(text) {
            let line = line.trim();
            let long = |word: &str| word.len() as u64 > it.max_word && chars(word) as u64 > it.max_word;
            if line.len() as u64 > it.max_word && words(line).any(long) {
                continue;
            }
            let enough = words(line).take(it.min_words as usize).count() as u64 == it.min_words;
            let line = if cited && line.contains('[') {
                line_kept.clear();
                without_citations(line, &mut line_kept);
                line_kept.as_str()
            } else {
                line
            };
            if it.terminal && (!line.ends_with(['.', '?', '!', '"', '\'']) || line.ends_with("...")) {
                continue;
            }
            if !enough || unwanted && self.unwanted.is_match(line) {
                continue;
            }
            if found < it.min_sentences {
                found += sentences(line, it.min_sentences - found);
            }
            if !kept.is_empty() {
                kept.push('\n');
            }
            kept.push_str(line);
        }
        let trimmed = kept.trim();
        if trimmed.len() < kept.len() {
            kept = trimmed.to_string();
        }
        (kept, found)
    }
}

/// Appends a line without `[12]`, `[]`, `[edit]`, `[citation needed]`.
fn without_citations(mut line: &str, kept: &mut String) {
    while let Some(at) = line.find('[') {
        kept.push_str(&line[..at]);
        let inner = &line[at + 1..];
        let digits = inner.trim_start_matches(|c: char| c.is_numeric() && c.is_alphanumeric());
        let rest = digits
            .strip_prefix(']')
            .or_else(|| inner.strip_prefix("edit]"))
            .or_else(|| inner.strip_prefix("citation needed]"));
        if rest.is_none() {
            kept.push('[');
        }
        line = rest.unwrap_or(inner);
    }
    kept.push_str(line);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::map;

    fn cleaned(text: &str, args: &[(&str, &str)]) -> Result<String, String> {
        let mut doc = Document::new("a", text);
        match map("c4_lines", args).apply(&mut doc) {
            Outcome::Keep => Ok(doc.text),
            Outcome::Drop(reason) => Err(reason.into_owned()),
        }
    }

    #[test]
    fn lines_go_by_the_rules_of_the_paper() {
        let text = "Home | About\n  The first line stays.[12] \nTwo words.\r\nPlease enable JavaScript to see this.\n\n\
            We use Cookies on our site.\n\"It ends with a quote, he said.\"\nThis one goes on...\nIt [edit] stays [sic] too!";
        let kept = "The first line stays.\n\"It ends with a quote, he said.\"\nIt  stays [sic] too!";
        assert_eq!(cleaned(text, &[("min_sentences", "3")]).unwrap(), kept);
        assert_eq!(cleaned(text, &[("min_sentences", "4")]).unwrap_err(), "few sentences");
        let open = cleaned(text, &[("terminal", "false"), ("min_sentences", "0")]).unwrap();
        assert!(
            open.starts_with("Home | About\n") && open.contains("goes on...") && !open.contains("Two words")
        );
        let long = format!("A word {} is too long.", "x".repeat(1001));
        assert_eq!(cleaned(&long, &[("min_sentences", "0")]).unwrap(), "");
        assert_eq!(cleaned(&long, &[("min_sentences", "0"), ("max_word", "1001")]).unwrap(), long);
    }
}
