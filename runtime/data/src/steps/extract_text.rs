//! From web pages to documents: charset, main text, title.

use std::{panic, sync::Arc};

use dom_smoothie::{Config, Readability};

use super::{Built, Map, Outcome, Step, charset, html, structure};
use crate::{
    document::{Cell, Document, RawPage},
    error::Result,
    readers::Roots,
};

llmp_stdlib::def! {
    /// Takes the main text out of a web page.
    ///
    /// The charset is that of the byte order mark, the HTTP header or the page's own declaration. Navigation, headers
    /// and footers are left out by Mozilla's Readability rules; where these find less than `min_chars`, the text of
    /// the whole body is taken. Paragraphs are separated by an empty line, whitespace is normalised, `<pre>` keeps its
    /// lines. Reasons: `not html`, `no text`.
    ///
    /// ```llmp
    /// dataset web = crawl |> extract_text()
    /// ```
    ExtractText = "extract_text", rev 1, rows Html -> Docs, adds [title: Text] {
        /// Leave out what surrounds the main text; `false` takes the whole body.
        main_only: bool = "true",
        /// Shortest main text, in bytes, that is believed; below it the whole body is taken.
        min_chars: u64 = "250",
        /// What is kept beside the plain text (Llama 3.1, section 3.1.1: the structure of mathematics and code, and the text of images).
        keep: Vec<Structure> = "[]",
    }
}

llmp_stdlib::choices! {
    /// Structure of a page that extraction can keep.
    Structure = "structure" {
        /// Formulas as LaTeX between dollar signs: the author's own where the page holds it (annotations, `alttext`, scripts of
        /// MathJax, the `alt` text of pictures of formulas), else MathML written out.
        Math = "math",
        /// Code with its lines in fences of three backticks that name its language, code inside a line in backticks. (Lines of
        /// `<pre>` are kept in any case.)
        Code = "code",
        /// The `alt` text of images where they stand.
        AltText = "alt_text",
    }
}

/// Deeper pages are not given to the recursive rules: none that a person wrote is.
const MAX_DEPTH: usize = 400;

impl Step for ExtractText {
    fn build(self, _roots: &Roots) -> Result<Built> {
        Ok(Built::Map(Arc::new(self)))
    }
}

impl Map for ExtractText {
    fn name(&self) -> &'static str {
        "extract_text"
    }

    fn apply(&self, doc: &mut Document) -> Outcome {
        let page = doc.raw.take().unwrap_or_default();
        let kind = page.content_type.as_deref().unwrap_or("text/html").to_ascii_lowercase();
        if kind.starts_with("text/plain") {
            doc.text = charset::decode(&page.bytes, page.content_type.as_deref());
        } else if kind.contains("html") || kind.contains("xml") {
            self.html(doc, &page);
        } else {
            doc.raw = Some(page);
            return Outcome::Drop("not html".into());
        }
        if doc.text.trim().is_empty() {
            doc.raw = Some(page);
            return Outcome::Drop("no text".into());
        }
        Outcome::Keep
    }
}

impl ExtractText {
    fn html(&self, doc: &mut Document, page: &RawPage) {
        let mut source = charset::decode(&page.bytes, page.content_type.as_deref());
        if !self.keep.is_empty() {
            source = structure::written(&source, &self.keep);
        }
        let whole = html::text(&source);
        let main = if self.main_only && whole.depth <= MAX_DEPTH { main_text(&source) } else { None };
        doc.text = main.filter(|text| text.len() as u64 >= self.min_chars).unwrap_or(whole.text);
        if !whole.title.is_empty() {
            doc.columns.insert("title".into(), Cell::Text(whole.title));
        }
    }
}

/// The text that Readability calls the article, or `None` where it finds none.
fn main_text(source: &str) -> Option<String> {
    let config = Config { disable_json_ld: true, ..Config::default() };
    // The rules are another crate's and pages are hostile: a panic there costs the main text, not the run.
    let article = panic::catch_unwind(|| {
        let article = Readability::new(source, None, Some(config)).ok()?.parse().ok()?;
        Some(article.content.to_string())
    });
    Some(html::text(&article.ok()??).text)
}
