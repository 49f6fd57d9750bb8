//! What steps on text share: patterns, and the texts that a record holds.

use regex::Regex;

use super::{charset, html};
use crate::{
    document::{Cell, Document, RawPage},
    error::{DataError, Result},
};

/// A pattern of a step.
///
/// Errors: the pattern is none.
pub(super) fn pattern(step: &'static str, pattern: &str) -> Result<Regex> {
    Regex::new(pattern).map_err(|e| DataError::Step { step, what: e.to_string() })
}

/// The source of a page as text.
pub(super) fn source(page: &RawPage) -> String {
    charset::decode(&page.bytes, page.content_type.as_deref())
}

/// Puts a changed source back into its page, as UTF-8.
pub(super) fn set_source(page: &mut RawPage, source: String) {
    let kind = page.content_type.as_deref().unwrap_or("text/html");
    let kind = kind.split(';').next().unwrap_or_default().trim().to_string();
    page.content_type = Some(format!("{kind}; charset=utf-8"));
    page.bytes = source.into_bytes();
}

/// What a reader of the record would see: its text, or the text of its page.
pub(super) fn visible(doc: &Document) -> std::borrow::Cow<'_, str> {
    match &doc.raw {
        Some(page) if doc.text.is_empty() => html::text(&source(page)).text.into(),
        _ => doc.text.as_str().into(),
    }
}

/// The column `name`, where it is text.
pub(super) fn column<'a>(doc: &'a Document, name: &str) -> Option<&'a str> {
    match doc.columns.get(name) {
        Some(Cell::Text(text)) => Some(text),
        _ => None,
    }
}
