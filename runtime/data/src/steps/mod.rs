//! Steps between documents: maps look at one document, barriers at the whole set.

use std::{borrow::Cow, collections::BTreeMap, fmt::Debug};

use serde::{Deserialize, Serialize};

use crate::document::Document;

/// What a step says about a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It goes on, possibly edited.
    Keep,
    /// It leaves the pipe, for this reason (a short name, counted and stored).
    Drop(Cow<'static, str>),
}

/// The type of a column, as the language names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ColumnType {
    /// Yes or no.
    Bool,
    /// A number.
    Num,
    /// Text.
    Text,
}

/// A step that looks at one document at a time: keeps, drops with a reason, edits, adds columns.
///
/// The result depends on the document and the settings alone, so documents may be taken in any order on any thread.
pub trait Map: Send + Sync + Debug {
    /// The step's name in the language.
    fn name(&self) -> &'static str;

    /// Columns that it reads.
    fn needs(&self) -> Vec<String> {
        Vec::new()
    }

    /// Columns that it adds.
    fn adds(&self) -> Vec<(&'static str, ColumnType)> {
        Vec::new()
    }

    /// Looks at `doc`, edits it, and says whether it goes on.
    fn apply(&self, doc: &mut Document) -> Outcome;
}

/// What a barrier decided about one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The cluster that the document belongs to.
    pub cluster: u64,
    /// Whether it is the copy that stays.
    pub keep: bool,
}

/// A step that needs the whole set: a first pass sketches each document, a decision sees all sketches, a second pass
/// applies the decision.
pub trait Barrier: Send + Sync + Debug {
    /// The step's name in the language.
    fn name(&self) -> &'static str;

    /// Columns that it adds.
    fn adds(&self) -> Vec<(&'static str, ColumnType)> {
        Vec::new()
    }

    /// Words per sketch.
    fn width(&self) -> usize;

    /// The sketch of one document: exactly [`Barrier::width`] words.
    fn sketch(&self, doc: &Document) -> Vec<u64>;

    /// One mark per document; `sketches` lie one after the other in document order.
    fn decide(&self, sketches: &[u64]) -> Vec<Mark>;

    /// Writes the decision into the document, or drops it.
    fn apply(&self, doc: &mut Document, mark: Mark) -> Outcome;
}

/// What went into a step, came out and was dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// The step's name.
    pub step: String,
    /// Documents (for a reader: records) that came in.
    #[serde(rename = "in")]
    pub input: u64,
    /// Documents that went on.
    #[serde(rename = "out")]
    pub output: u64,
    /// Bytes of text and pages that came in.
    pub bytes_in: u64,
    /// Bytes of text and pages that went on.
    pub bytes_out: u64,
    /// Documents dropped, by reason; `input = output + sum of reasons`.
    pub reasons: BTreeMap<String, u64>,
}

impl Count {
    /// A count of zero for a step.
    pub fn new(step: impl Into<String>) -> Count {
        Count { step: step.into(), ..Count::default() }
    }

    /// Adds another count of the same step.
    pub fn merge(&mut self, other: &Count) {
        self.input += other.input;
        self.output += other.output;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        for (reason, n) in &other.reasons {
            *self.reasons.entry(reason.clone()).or_default() += n;
        }
    }

    /// Counts one dropped document.
    pub fn dropped(&mut self, reason: &str) {
        match self.reasons.get_mut(reason) {
            Some(n) => *n += 1,
            None => {
                self.reasons.insert(reason.to_string(), 1);
            }
        }
    }
}
