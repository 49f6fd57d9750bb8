//! The ledger of one chunk, out of the trails of its documents.

use std::collections::BTreeMap;

use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use super::{Facts, Flow, Ledger, Loss, Lost, Origins, SAMPLE_CHARS, Sample, Scores, choose};
use crate::{
    document::{Cell, Document},
    steps::{Decided, Reason},
};

/// Documents that are counted together before their counts are added.
const TOGETHER: usize = 512;

/// What is noted of a document at the end of its way, before it goes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Note {
    id: String,
    text: String,
    cut: bool,
    columns: BTreeMap<String, Cell>,
}

impl Note {
    /// Notes a document.
    pub(crate) fn of(doc: &Document) -> Note {
        let from_page;
        let text = match &doc.raw {
            Some(raw) => {
                // A character has at most four bytes.
                let head = &raw.bytes[..raw.bytes.len().min(SAMPLE_CHARS * 4)];
                from_page = String::from_utf8_lossy(head);
                &*from_page
            }
            None => &doc.text,
        };
        let end = text.char_indices().nth(SAMPLE_CHARS).map_or(text.len(), |(at, _)| at);
        let (text, cut) = (text[..end].to_owned(), end < text.len());
        Note { id: doc.id.clone(), text, cut, columns: doc.columns.clone() }
    }

    /// Notes a record that gave no document.
    pub(crate) fn record(id: String) -> Note {
        Note { id, ..Note::default() }
    }

    /// A hash of the document's text by which edits are seen.
    pub(crate) fn mark(doc: &Document) -> Option<u64> {
        doc.raw.is_none().then(|| xxh3_64(doc.text.as_bytes()))
    }

    fn url(&self) -> Option<String> {
        match self.columns.get("url") {
            Some(Cell::Text(url)) => Some(url.clone()),
            _ => None,
        }
    }

    fn sample(&self, by: Option<&Decided>) -> Sample {
        Sample {
            id: self.id.clone(),
            url: self.url(),
            text: self.text.clone(),
            cut: self.cut,
            by: by.cloned(),
            columns: self.columns.iter().filter(|(name, _)| *name != "url").map(own).collect(),
        }
    }
}

fn own((name, cell): (&String, &Cell)) -> (String, Cell) {
    (name.clone(), cell.clone())
}

/// The way of one document through a segment.
#[derive(Clone, Debug)]
pub(crate) struct Trail<'a> {
    /// What was noted at its end.
    pub(crate) note: &'a Note,
    /// Bytes before each step that it reached, and after the last one that it passed.
    pub(crate) bytes: &'a [u64],
    /// Bit k: step k changed its text.
    pub(crate) edited: u64,
    /// Why it did not come through; `None`: it did.
    pub(crate) lost: Option<&'a Reason>,
    /// Whether a split set it aside.
    pub(crate) heldout: bool,
}

/// The ledger of a chunk and its lost documents, in order.
pub(crate) fn collect(trails: &[Trail<'_>], steps: usize, origins: &Origins) -> (Ledger, Vec<Lost>) {
    let parts: Vec<(Ledger, Vec<Lost>)> =
        trails.par_chunks(TOGETHER).map(|trails| count(trails, steps, origins)).collect();
    let mut ledger = Ledger::default();
    let mut lost = Vec::new();
    for (part, own) in parts {
        ledger.merge(&part);
        lost.extend(own);
    }
    (ledger, lost)
}

fn count(trails: &[Trail<'_>], steps: usize, origins: &Origins) -> (Ledger, Vec<Lost>) {
    let mut ledger = Ledger { losses: vec![BTreeMap::new(); steps], ..Ledger::default() };
    let mut lost = Vec::new();
    let mut flows: BTreeMap<Option<usize>, Vec<Flow>> = BTreeMap::new();
    for trail in trails {
        let origin = origins.of(&trail.note.id);
        flow(flows.entry(origin).or_insert_with(|| vec![Flow::default(); steps]), trail);
        let bytes = trail.bytes.last().copied().unwrap_or(0);
        let Some(reason) = trail.lost else {
            let facts = if trail.heldout { &mut ledger.heldout } else { &mut ledger.kept };
            facts.add(trail.note, bytes);
            let sample = || trail.note.sample(None);
            sample_of(&mut facts.samples, trail.note, sample);
            continue;
        };
        let step = (trail.bytes.len().max(1) - 1).min(steps.max(1) - 1);
        ledger.lost.add(trail.note, bytes);
        let by = reason.by.as_deref();
        if let Some(losses) = ledger.losses.get_mut(step) {
            let name = reason.name.to_string();
            losses.entry(name).or_default().add(trail.note, bytes, by);
        }
        lost.push(Lost {
            id: trail.note.id.clone(),
            url: trail.note.url(),
            step,
            reason: reason.name.to_string(),
            by: by.cloned(),
            bytes,
        });
    }
    ledger.flows = flows.into_iter().map(|(o, flows)| (origins.name(o).to_owned(), flows)).collect();
    (ledger, lost)
}

fn flow(flows: &mut [Flow], trail: &Trail<'_>) {
    let passed = trail.bytes.len().saturating_sub(1);
    for (step, pair) in trail.bytes.windows(2).enumerate() {
        let Some(flow) = flows.get_mut(step) else { continue };
        flow.input += 1;
        flow.output += 1;
        flow.bytes_in += pair[0];
        flow.bytes_out += pair[1];
        flow.edited += trail.edited >> step.min(63) & 1;
    }
    // A split that sets a document aside has not passed it on.
    let reason = match (trail.lost, trail.heldout) {
        (Some(reason), _) => &*reason.name,
        (None, true) => "held out",
        (None, false) => return,
    };
    if let Some(flow) = flows.get_mut(passed) {
        flow.input += 1;
        flow.bytes_in += trail.bytes.last().copied().unwrap_or(0);
        *flow.reasons.entry(reason.to_owned()).or_default() += 1;
    }
}

impl Facts {
    fn add(&mut self, note: &Note, bytes: u64) {
        self.sizes.add(bytes as f64);
        for (name, cell) in &note.columns {
            match self.columns.get_mut(name) {
                Some(column) => column.add(cell),
                None => self.columns.entry(name.clone()).or_default().add(cell),
            }
        }
    }
}

impl Loss {
    fn add(&mut self, note: &Note, bytes: u64, by: Option<&Decided>) {
        self.sizes.add(bytes as f64);
        if let Some(Decided::Score(score)) = by {
            let found = self
                .scores
                .iter()
                .position(|own| own.of == score.of && own.is == score.is && own.limit == score.limit);
            let at = found.unwrap_or_else(|| {
                self.scores.push(Scores {
                    of: score.of.to_string(),
                    is: score.is,
                    limit: score.limit,
                    values: super::Spread::default(),
                });
                self.scores.len() - 1
            });
            self.scores[at].values.add(score.value);
        }
        sample_of(&mut self.samples, note, || note.sample(by));
    }
}

/// Takes a sample where its hash is among the least.
fn sample_of(samples: &mut Vec<Sample>, note: &Note, sample: impl FnOnce() -> Sample) {
    if note.text.is_empty() {
        return;
    }
    let full = samples.len() >= super::SAMPLES;
    if full && samples.last().is_some_and(|last| chance(&last.id) <= chance(&note.id)) {
        return;
    }
    choose(samples, &[sample()]);
}

/// A number that an id draws: samples are those with the least.
pub(super) fn chance(id: &str) -> u64 {
    xxh3_64(id.as_bytes())
}
