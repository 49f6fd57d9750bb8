//! `strip_markdown`: removes markdown markers and keeps their text.

use std::sync::Arc;

use regex::Regex;

use super::{Built, Map, Outcome, Step, text::pattern};
use crate::{document::Document, error::Result, readers::Roots};

llmp_stdlib::def! {
    /// Removes markdown markers and keeps their text.
    ///
    /// Headings, emphasis, links, images, lists, quotes, tables and rules lose their markers; of a link its text stays, of an
    /// image its alternative text. Code keeps its lines as they are, without the fences. Llama 3.1 found that markdown harms a
    /// model that is trained mostly on web data (arXiv:2407.21783, section 3.1.1; how it is removed is not published).
    ///
    /// ```llmp
    /// dataset plain = docs |> strip_markdown()
    /// ```
    StripMarkdown = "strip_markdown", rev 1, rows Docs -> Docs {
        /// Keep the lines of code blocks.
        code: bool = "true",
    }
}

/// Marks at the beginning of a line: quotes and lists (with a box to tick), then a heading.
const LEADING: &str = r"^(\s*)(?:>\s?|[-*+]\s+(?:\[[ xX]\]\s+)?|\d{1,9}[.)]\s+)";
const HEADING: &str = r"^ {0,3}#{1,6}(?:[ \t]+|$)";
/// A line of rules only: `---`, `***`, the line under a heading or between the rows of a table.
const RULE: &str = r"^\s*(?:(?:[-_*=]\s*){3,}|=+|\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?)\s*$";
/// `[label]: address`, where a link of the text points.
const DEFINITION: &str = r"^ {0,3}\[[^\]\n]+\]:\s+\S+(?:\s+.*)?$";
/// Code, images, links, addresses in pointed brackets.
const INLINE: &str = r"(?x)
    (?P<code> ``[^`\n](?:[^\n]*?[^`\n])?`` | `[^`\n]+` )
    | \\ (?P<escaped> [\\`*_{}\[\]()\#+.!|<>~-] )
    | !?\[ (?P<text> (?:[^\[\]\n]|\[[^\[\]\n]*\])* ) \] (?: \( \s* <?[^()\s<>]*(?:\([^()\s]*\)[^()\s<>]*)*>? (?:\s+(?:'[^'\n]*'|\x22[^\x22\n]*\x22))? \s* \) | \[ [^\[\]\n]* \] )
    | < (?P<address> (?:https?://|mailto:)[^\s<>]+ ) >
    | (?P<strong> \*\*\*|\*\*|\*|~~ )
    | (?P<low> ___|__|_ )";

impl Step for StripMarkdown {
    fn build(self, _roots: &Roots) -> Result<Built> {
        let regex = |text| pattern("strip_markdown", text);
        Ok(Built::Map(Arc::new(Stripper {
            code: self.code,
            leading: regex(LEADING)?,
            heading: regex(HEADING)?,
            rule: regex(RULE)?,
            definition: regex(DEFINITION)?,
            inline: regex(INLINE)?,
        })))
    }
}

/// The step with its patterns.
#[derive(Debug)]
struct Stripper {
    code: bool,
    leading: Regex,
    heading: Regex,
    rule: Regex,
    definition: Regex,
    inline: Regex,
}

impl Map for Stripper {
    fn name(&self) -> &'static str {
        "strip_markdown"
    }

    fn apply(&self, doc: &mut Document) -> Outcome {
        doc.text = self.strip(&doc.text);
        Outcome::Keep
    }
}

/// The fence at the beginning of a line: its character and length.
fn fence(line: &str) -> Option<(char, usize)> {
    let line = line.trim_start();
    let mark = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let length = line.chars().take_while(|c| *c == mark).count();
    // Behind three backticks no other may stand: that is code inside a line.
    (length >= 3 && !(mark == '`' && line[length..].contains('`'))).then_some((mark, length))
}

impl Stripper {
    fn strip(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut open: Option<(char, usize)> = None;
        for whole in text.split_inclusive('\n') {
            let line = whole.trim_end_matches(['\n', '\r']);
            let end = &whole[line.len()..];
            match (open, fence(line)) {
                (Some((mark, length)), Some((closing, its)))
                    if closing == mark && its >= length && line.trim().chars().all(|c| c == mark) =>
                {
                    open = None;
                }
                (None, Some(fence)) => open = Some(fence),
                (Some(_), _) => {
                    if self.code {
                        out.push_str(whole);
                    }
                }
                (None, None) => self.line(line, end, &mut out),
            }
        }
        out
    }

    /// One line outside of code.
    fn line(&self, line: &str, end: &str, out: &mut String) {
        if line.trim().is_empty() {
            out.push_str(line);
            out.push_str(end);
            return;
        }
        if self.rule.is_match(line) || self.definition.is_match(line) {
            return;
        }
        let mut rest = line;
        // A quote may hold a list, a list a quote.
        while let Some(marks) = self.leading.captures(rest) {
            out.push_str(marks.get(1).map_or("", |indent| indent.as_str()));
            rest = &rest[marks[0].len()..];
        }
        if let Some(marks) = self.heading.find(rest) {
            rest = rest[marks.end()..].trim_end().trim_end_matches('#').trim_end();
        }
        if rest.trim_start().starts_with('|') && rest.trim_end().ends_with('|') && rest.trim().len() > 1 {
            let row = rest.trim().trim_matches('|');
            let cells: Vec<String> = row.split('|').map(|cell| self.inline(cell.trim())).collect();
            out.push_str(&cells.join("  "));
        } else {
            out.push_str(&self.inline(rest));
        }
        out.push_str(end);
    }

    /// Marks inside a line.
    fn inline(&self, line: &str) -> String {
        if !line.contains(['`', '\\', '[', '<', '*', '_', '~']) {
            return line.to_string();
        }
        let (mut out, mut at) = (String::with_capacity(line.len()), 0);
        for found in self.inline.captures_iter(line) {
            let Some(whole) = found.get(0) else { continue };
            out.push_str(&line[at..whole.start()]);
            at = whole.end();
            let before = line[..whole.start()].chars().next_back();
            let after = line[at..].chars().next();
            if let Some(code) = found.name("code") {
                out.push_str(code.as_str().trim_matches('`'));
            } else if let Some(text) = found.name("escaped").or(found.name("address")) {
                out.push_str(text.as_str());
            } else if let Some(text) = found.name("text") {
                out.push_str(&self.inline(text.as_str()));
            } else if !emphasises(whole.as_str(), before, after, found.name("low").is_some()) {
                out.push_str(whole.as_str());
            }
        }
        out.push_str(&line[at..]);
        out
    }
}

/// Whether a mark touches a word on one side, so that it can open or close emphasis: `2 * 3` and `snake_case` are none.
fn emphasises(mark: &str, before: Option<char>, after: Option<char>, low: bool) -> bool {
    let free = |c: Option<char>| c.is_none_or(char::is_whitespace);
    let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let inside = word(before) && word(after);
    !(free(before) && free(after))
        && !(inside && (low || mark == "~~" || mark.len() == 1 && is_digit(before, after)))
}

/// `2*3` multiplies.
fn is_digit(before: Option<char>, after: Option<char>) -> bool {
    before.is_some_and(|c| c.is_ascii_digit()) || after.is_some_and(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::map;

    fn stripped(text: &str, args: &[(&str, &str)]) -> String {
        let mut doc = Document::new("a", text);
        assert_eq!(map("strip_markdown", args).apply(&mut doc), Outcome::Keep);
        doc.text
    }

    #[test]
    fn markers_go_and_text_stays() {
        let text = "# A *heading* #\n\nTitle\n=====\n\n> Quoted **strong** and __also__ ~~old~~ text\n> - [x] done `a_b*c`\n\n\
            1. see [the *site*](https://e.org/a_(b) \"title\") and ![a picture](p.png)\n* * *\n[ref]: https://e.org\n\
            | a | `b` |\n|---|:-:|\n| 1 | 2 |\n<https://e.org> [text][ref] \\*kept\\*\n";
        let plain = "A heading\n\nTitle\n\nQuoted strong and also old text\ndone a_b*c\n\n\
            see the site and a picture\na  b\n1  2\nhttps://e.org text *kept*\n";
        assert_eq!(stripped(text, &[]), plain);
        assert_eq!(stripped(plain, &[]).replace('*', ""), plain.replace('*', ""));
    }

    #[test]
    fn what_is_no_marker_stays() {
        for text in [
            "snake_case and 2 * 3 = 6, 2*3, a [note] (see b), x < y\n",
            "#hashtag -5 ~ 1.5\n",
            "An_ open end* \n\n",
        ] {
            let changed = stripped(text, &[]);
            assert!(changed == text || text.starts_with("An_"), "{changed}");
        }
    }

    #[test]
    fn code_keeps_its_lines() {
        let text = "Look:\n```rust\n# not a heading\n* x *\n````x\n```\n~~~\n```\n~~~\nend\n```\nopen";
        assert_eq!(stripped(text, &[]), "Look:\n# not a heading\n* x *\n````x\n```\nend\nopen");
        assert_eq!(stripped(text, &[("code", "false")]), "Look:\nend\n");
    }
}
