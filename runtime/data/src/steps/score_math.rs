//! `score_math`: how much a document has of mathematics.

use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};
use llmp_stdlib::{Column, arg::FilePath};

use super::{
    Built, Map, Outcome, Step,
    files::entries,
    text::{source, visible},
};
use crate::{
    document::{Cell, Document},
    error::{DataError, Result},
    readers::Roots,
};

llmp_stdlib::def! {
    /// Adds marks of mathematics: `.math_symbols`, how many symbols of mathematics and commands of LaTeX the text holds, and
    /// `.math_tags`, whether page or text carries elements, scripts or environments that typeset formulas.
    ///
    /// AFM looks for about 40 strings and templates of the page and about 350 symbols of Unicode and LaTeX before its language
    /// model judges (arXiv:2407.21075, section 3.1.1; the lists are not published, OpenWebMath, arXiv:2310.06786, looks for much
    /// the same). Tags lie in the page, so score before `extract_text` to see them: `.math_tags` stays true when the text is
    /// scored once more.
    ///
    /// ```llmp
    /// dataset maths = crawl |> score_math() |> extract_text() |> keep_if(.math_symbols > 40 or .math_tags)
    /// ```
    ScoreMath = "score_math", rev 1, rows_of [Html, Docs], adds [math_symbols: Num, math_tags: Bool] {
        /// A file with one symbol a line in place of the list inside llmp.
        symbols: Option<FilePath> = "none",
    }
}

/// Symbols of Unicode, and commands of LaTeX.
const SYMBOLS: &str = include_str!("../../lists/mathematics.txt");

/// What pages with typeset formulas carry, in small letters, and environments and templates of formulas in a text.
const TAGS: [&str; 44] = [
    "<math",
    "<mml:math",
    "mathml",
    "mathjax",
    "katex",
    "math/tex",
    "math/mml",
    "math/asciimath",
    "asciimath",
    "tex2jax",
    "application/x-tex",
    "x-mathjax-config",
    "mwe-math",
    "class=\"math",
    "class='math",
    "class=\"tex\"",
    "class='tex'",
    "class=\"latex",
    "class='latex",
    "class=\"ltx_math",
    "mathquill",
    "jqmath",
    "mathoid",
    "latex.php",
    "latex.codecogs.com",
    "mathtex.cgi",
    "mimetex.cgi",
    "/texrender",
    "wp-content/plugins/latex",
    "wp-katex",
    "data-equation",
    "[latex]",
    "[tex]",
    "[math]",
    "$latex ",
    "$$",
    "\\begin{equation",
    "\\begin{align",
    "\\begin{gather",
    "\\begin{eqnarray",
    "\\begin{multline",
    "\\begin{array",
    "\\begin{cases",
    "matrix}",
];

impl Step for ScoreMath {
    fn build(self, roots: &Roots) -> Result<Built> {
        let symbols = match &self.symbols {
            Some(path) => entries(roots, "score_math", path)?,
            None => SYMBOLS.lines().map(str::to_string).collect(),
        };
        let failed =
            |e: aho_corasick::BuildError| DataError::Step { step: "score_math", what: e.to_string() };
        let symbols = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(symbols);
        let tags = AhoCorasick::builder().ascii_case_insensitive(true).build(TAGS);
        Ok(Built::Map(Arc::new(Scorer { symbols: symbols.map_err(failed)?, tags: tags.map_err(failed)? })))
    }
}

/// The step with its lists.
#[derive(Debug)]
struct Scorer {
    symbols: AhoCorasick,
    tags: AhoCorasick,
}

impl Map for Scorer {
    fn name(&self) -> &'static str {
        "score_math"
    }

    fn adds(&self) -> Vec<(&'static str, Column)> {
        vec![("math_symbols", Column::Num), ("math_tags", Column::Bool)]
    }

    fn apply(&self, doc: &mut Document) -> Outcome {
        let symbols = self.count(&visible(doc)) as f64;
        let page = doc.raw.as_ref().is_some_and(|page| self.tags.is_match(&source(page)));
        let before = doc.columns.get("math_tags") == Some(&Cell::Bool(true));
        let tags = before || page || self.tags.is_match(&doc.text);
        doc.columns.insert("math_symbols".into(), symbols.into());
        doc.columns.insert("math_tags".into(), tags.into());
        Outcome::Keep
    }
}

impl Scorer {
    fn count(&self, text: &str) -> usize {
        // `\in` is no part of `\index`.
        let whole = |end: usize| {
            !(text.as_bytes()[end - 1].is_ascii_alphabetic()
                && text.as_bytes().get(end).is_some_and(u8::is_ascii_alphabetic))
        };
        self.symbols.find_iter(text).filter(|found| whole(found.end())).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        document::RawPage,
        steps::testing::{map, map_in},
    };

    #[test]
    fn symbols_are_counted_and_tags_are_seen() {
        let mut doc = Document::new("a", r"For all $x \in \mathbb{R}$, ∑ x² ≤ ∞; see \index and $5.");
        map("score_math", &[]).apply(&mut doc);
        assert_eq!((&doc.columns["math_symbols"], &doc.columns["math_tags"]), (&5.0.into(), &false.into()));
        let mut page = Document::new("a", "");
        page.raw = Some(RawPage {
            bytes: "<p>a ≤ b</p><Script type='math/TeX'>x</script>".into(),
            content_type: None,
        });
        map("score_math", &[]).apply(&mut page);
        assert_eq!((&page.columns["math_symbols"], &page.columns["math_tags"]), (&1.0.into(), &true.into()));
        (page.raw, page.text) = (None, "plain".into());
        map("score_math", &[]).apply(&mut page);
        assert_eq!((&page.columns["math_symbols"], &page.columns["math_tags"]), (&0.0.into(), &true.into()));
    }

    #[test]
    fn another_list_takes_the_place() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("s.txt"), "foo\n").unwrap();
        let mut doc = Document::new("a", "foo ∑ foo food");
        map_in(folder.path(), "score_math", &[("symbols", "\"s.txt\"")]).apply(&mut doc);
        assert_eq!(doc.columns["math_symbols"], 2.0.into());
    }
}
