//! Open documents: the client's text, edit by edit.

use llmp_interpreter::ide::lines::{Encoding, Lines};
use serde::Deserialize;

use crate::wire::Range;

/// A change of a document: of a range, or of all of it.
#[derive(Debug, Clone, Deserialize)]
pub struct Change {
    pub(crate) range: Option<Range>,
    pub(crate) text: String,
}

/// An open document.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    /// Its address as the client writes it.
    pub(crate) uri: String,
    /// Its text.
    pub(crate) text: String,
    /// Where its lines start.
    pub(crate) lines: Lines,
    /// The client's number of this text.
    pub(crate) version: i64,
    /// Our number of this text: no two texts of a session have the same.
    pub(crate) revision: u64,
}

impl Document {
    /// A document as it was opened.
    pub(crate) fn new(uri: String, text: String, version: i64, revision: u64) -> Document {
        let lines = Lines::new(&text);
        Document { uri, text, lines, version, revision }
    }

    /// Applies changes in order.
    pub(crate) fn change(&mut self, changes: Vec<Change>, encoding: Encoding) {
        for change in changes {
            match change.range {
                None => self.text = change.text,
                Some(range) => {
                    let start = self.lines.offset(&self.text, range.start.into(), encoding) as usize;
                    let end = self.lines.offset(&self.text, range.end.into(), encoding) as usize;
                    self.text.replace_range(start..end.max(start), &change.text);
                }
            }
            self.lines = Lines::new(&self.text);
        }
    }
}
