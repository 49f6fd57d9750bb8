//! The ledger: what became of every document, step by step and source by source.
//!
//! The engine writes one file for each chunk, `ledger/part-NNNNN.jsonl.zst` below the folder of the documents: the first
//! line holds the chunk's [`Ledger`], each further line one [`Lost`] document. When the segment is finished, the sum of
//! all first lines is written to `ledger/summary.json`. Lines of lost documents are compressed; their text is not
//! kept (a step's `rejects = "folder"` keeps it), but for a few samples of each reason.

mod collect;
mod find;
mod origins;
mod spread;
mod store;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    document::Cell,
    steps::{Decided, Side},
};

pub(crate) use collect::{Note, Trail, collect};
pub use find::{Place, find, identities, ids, stored};
pub use origins::Origins;
pub use spread::{Bar, Spread};
pub(crate) use store::{finish, write};
pub use store::{lost, summary};

/// Different texts of a column that are counted one by one.
pub const TEXTS: usize = 256;
/// Samples that are kept of each reason, and of the documents kept.
pub const SAMPLES: usize = 8;
/// Characters of a sample.
pub const SAMPLE_CHARS: usize = 600;

/// What became of documents.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ledger {
    /// For each source, by name: one flow for each step (the reader or the store first).
    pub flows: BTreeMap<String, Vec<Flow>>,
    /// Documents that came through.
    pub kept: Facts,
    /// Documents that a split set aside.
    pub heldout: Facts,
    /// Documents that were dropped, as they were then.
    pub lost: Facts,
    /// For each step: why it dropped documents.
    pub losses: Vec<BTreeMap<String, Loss>>,
}

/// Documents of one source through one step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// Documents that came in.
    #[serde(rename = "in")]
    pub input: u64,
    /// Documents that went on.
    #[serde(rename = "out")]
    pub output: u64,
    /// Bytes that came in.
    pub bytes_in: u64,
    /// Bytes that went on.
    pub bytes_out: u64,
    /// Documents that went on with another text.
    #[serde(default, skip_serializing_if = "none")]
    pub edited: u64,
    /// Documents dropped, by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reasons: BTreeMap<String, u64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn none(n: &u64) -> bool {
    *n == 0
}

/// What a set of documents is like.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// Bytes of text (of the raw page, where there is no text yet).
    pub sizes: Spread,
    /// Columns by name.
    pub columns: BTreeMap<String, Column>,
    /// A few of the documents, chosen by a hash of their ids.
    pub samples: Vec<Sample>,
}

/// Values of one column.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Column {
    /// Numbers.
    #[serde(skip_serializing_if = "empty")]
    pub numbers: Spread,
    /// Texts and truth values with their counts, as long as there are at most [`TEXTS`].
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub texts: BTreeMap<String, u64>,
    /// There are more texts than are counted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub many: bool,
}

fn empty(spread: &Spread) -> bool {
    spread.count == 0
}

/// Documents that one step dropped for one reason.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Loss {
    /// Bytes of their texts.
    pub sizes: Spread,
    /// The scores that decided.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<Scores>,
    /// A few of them, chosen by a hash of their ids.
    pub samples: Vec<Sample>,
}

/// The scores that decided, beside their limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// What was measured.
    pub of: String,
    /// On which side of the limit the values lie.
    pub is: Side,
    /// The limit.
    pub limit: f64,
    /// The values.
    pub values: Spread,
}

/// The beginning of a document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Its id.
    pub id: String,
    /// Its address, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its first [`SAMPLE_CHARS`] characters.
    pub text: String,
    /// Whether the text goes on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
    /// What decided, where it was dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Decided>,
    /// Its columns.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, Cell>,
}

/// One document, or one record that gave none, that did not come through.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lost {
    /// Its id.
    pub id: String,
    /// Its address, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Number of the step among the flows of [`Ledger::flows`].
    pub step: usize,
    /// Why.
    pub reason: String,
    /// What decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Decided>,
    /// Its bytes.
    pub bytes: u64,
}

impl Ledger {
    /// Adds another ledger of the same steps.
    pub fn merge(&mut self, other: &Ledger) {
        for (source, flows) in &other.flows {
            let own = self.flows.entry(source.clone()).or_default();
            own.resize(own.len().max(flows.len()), Flow::default());
            own.iter_mut().zip(flows).for_each(|(own, flow)| own.merge(flow));
        }
        self.kept.merge(&other.kept);
        self.heldout.merge(&other.heldout);
        self.lost.merge(&other.lost);
        self.losses.resize(self.losses.len().max(other.losses.len()), BTreeMap::new());
        for (own, losses) in self.losses.iter_mut().zip(&other.losses) {
            for (reason, loss) in losses {
                own.entry(reason.clone()).or_default().merge(loss);
            }
        }
    }

    /// One flow for each step, over all sources.
    pub fn total(&self) -> Vec<Flow> {
        let mut total: Vec<Flow> = Vec::new();
        for flows in self.flows.values() {
            total.resize(total.len().max(flows.len()), Flow::default());
            total.iter_mut().zip(flows).for_each(|(own, flow)| own.merge(flow));
        }
        total
    }
}

impl Flow {
    /// Adds another flow through the same step.
    pub fn merge(&mut self, other: &Flow) {
        self.input += other.input;
        self.output += other.output;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.edited += other.edited;
        for (reason, count) in &other.reasons {
            *self.reasons.entry(reason.clone()).or_default() += count;
        }
    }
}

impl Facts {
    fn merge(&mut self, other: &Facts) {
        self.sizes.merge(&other.sizes);
        for (name, column) in &other.columns {
            self.columns.entry(name.clone()).or_default().merge(column);
        }
        choose(&mut self.samples, &other.samples);
    }
}

impl Column {
    pub(crate) fn add(&mut self, cell: &Cell) {
        let text = match cell {
            Cell::Num(x) => return self.numbers.add(*x),
            Cell::Bool(b) => {
                if *b {
                    "true"
                } else {
                    "false"
                }
            }
            Cell::Text(text) => text,
        };
        if self.many {
            return;
        }
        match self.texts.get_mut(text) {
            Some(count) => *count += 1,
            None => {
                self.texts.insert(text.to_owned(), 1);
                self.limit();
            }
        }
    }

    fn merge(&mut self, other: &Column) {
        self.numbers.merge(&other.numbers);
        self.many |= other.many;
        for (text, count) in &other.texts {
            *self.texts.entry(text.clone()).or_default() += count;
        }
        self.limit();
    }

    /// Addresses and titles are not counted: each document has its own.
    fn limit(&mut self) {
        let long = || self.texts.keys().any(|text| text.len() > 80);
        if self.many || self.texts.len() > TEXTS || long() {
            self.many = true;
            self.texts.clear();
        }
    }
}

impl Loss {
    fn merge(&mut self, other: &Loss) {
        self.sizes.merge(&other.sizes);
        for scores in &other.scores {
            match self.scores.iter_mut().find(|own| own.same(scores)) {
                Some(own) => own.values.merge(&scores.values),
                None => self.scores.push(scores.clone()),
            }
        }
        choose(&mut self.samples, &other.samples);
    }
}

impl Scores {
    fn same(&self, other: &Scores) -> bool {
        (&self.of, self.is, self.limit) == (&other.of, other.is, other.limit)
    }
}

/// Keeps the samples whose ids have the least hashes: chosen at random, and the same on every run.
fn choose(own: &mut Vec<Sample>, other: &[Sample]) {
    own.extend_from_slice(other);
    own.sort_by_cached_key(|sample| (collect::chance(&sample.id), sample.id.clone()));
    own.truncate(SAMPLES);
}
