//! Data at the ends of a program: how long documents are, what their columns hold, samples.

use std::collections::{BTreeMap, BTreeSet};

use llmp_data::ledger::{Bar, Column, Facts, Flow, Ledger, Sample, Spread};
use llmp_stdlib::{Plan, Port, StepId};
use serde::Serialize;

use crate::ledger::Done;

/// Bars of a histogram.
const BARS: usize = 36;
/// Texts of a column that are shown; the others are added up.
const TEXTS: usize = 40;

/// Numbers in bars.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Histogram {
    /// The bars, in order.
    pub bars: Vec<Bar>,
    /// Widths of bars grow by a constant factor.
    pub powers: bool,
    /// How many numbers.
    pub count: u64,
    /// The mean.
    pub mean: f64,
    /// Shares of 10%, 50% and 90% of the numbers lie below these.
    pub quantiles: [f64; 3],
}

/// Documents at one end of a program.
#[derive(Debug, Clone, Serialize)]
pub struct Set {
    /// The item, with the part of a split.
    pub name: String,
    /// Documents.
    pub documents: u64,
    /// Bytes of their texts.
    pub bytes: f64,
    /// Tokens, where they were counted.
    pub tokens: Option<u64>,
    /// By source: documents and bytes.
    pub sources: BTreeMap<String, Flow>,
    /// Lengths of documents in bytes, of those kept and those lost on the way in the task that made the set.
    pub lengths: Chart,
    /// Columns with few texts: languages, licenses.
    pub texts: Vec<Texts>,
    /// Columns with numbers: scores.
    pub numbers: Vec<Chart>,
    /// Some of the documents.
    pub samples: Vec<Sample>,
}

/// Kept and lost documents over one number.
#[derive(Debug, Clone, Serialize)]
pub struct Chart {
    /// What is counted.
    pub name: String,
    /// Over all documents kept.
    pub kept: Histogram,
    /// Lost documents, in the same bars.
    pub lost: Vec<u64>,
}

/// Kept and lost documents by a text.
#[derive(Debug, Clone, Serialize)]
pub struct Texts {
    /// The column.
    pub name: String,
    /// Each text with the documents kept and lost, the most frequent first.
    pub counts: Vec<(String, u64, u64)>,
    /// Texts that are not shown, with their documents.
    pub others: (u64, u64, u64),
}

impl Histogram {
    /// The histogram of numbers.
    pub fn of(spread: &Spread) -> Histogram {
        Histogram::over(spread, spread.bars(BARS))
    }

    fn over(spread: &Spread, (mut bars, powers): (Vec<Bar>, bool)) -> Histogram {
        let counts = spread.counts(&bars);
        bars.iter_mut().zip(counts).for_each(|(bar, count)| bar.count = count);
        let quantiles = [0.1, 0.5, 0.9].map(|share| spread.quantile(share));
        Histogram { bars, powers, count: spread.count, mean: spread.mean(), quantiles }
    }
}

fn chart(name: &str, kept: &Spread, lost: &Spread) -> Chart {
    let mut both = kept.clone();
    both.merge(lost);
    let bars = both.bars(BARS);
    let lost = lost.counts(&bars.0);
    Chart { name: name.to_owned(), kept: Histogram::over(kept, bars), lost }
}

/// The sets of a program: results over documents that no other step over documents reads, and parts of splits.
pub(super) fn sets(plan: &Plan, done: &[Done<'_>], ledgers: &[Option<Ledger>]) -> Vec<Set> {
    let read: BTreeSet<(StepId, Option<String>)> = done
        .iter()
        .filter(|one| one.is_documents())
        .flat_map(|one| one.task.inputs())
        .map(|port| (port.step.clone(), port.part.clone()))
        .collect();
    let mut sets = Vec::new();
    for (one, ledger) in done.iter().zip(ledgers) {
        let Some(ledger) = ledger else { continue };
        for part in one.finished.manifest.parts.keys() {
            let part = (!part.is_empty()).then(|| part.clone());
            let port = Port { step: one.task.last().id.clone(), part };
            if read.contains(&(port.step.clone(), port.part.clone())) {
                continue;
            }
            let facts = if port.part.is_some() { &ledger.heldout } else { &ledger.kept };
            sets.push(set(plan, done, ledger, facts, &port));
        }
    }
    sets
}

/// What people call a result: its item, else its step.
pub(crate) fn name(plan: &Plan, port: &Port) -> String {
    if let Some((item, _)) = plan.items.iter().find(|(_, own)| *own == port) {
        return item.clone();
    }
    let whole = Port { part: None, ..port.clone() };
    let item = plan.items.iter().find(|(_, own)| **own == whole).map(|(item, _)| item.clone());
    let part = port.part.as_ref().map(|part| format!(".{part}")).unwrap_or_default();
    format!("{}{part}", item.unwrap_or_else(|| plan.name(&port.step)))
}

fn set(plan: &Plan, done: &[Done<'_>], ledger: &Ledger, facts: &Facts, port: &Port) -> Set {
    let sources =
        ledger.flows.iter().filter_map(|(source, flows)| Some((source.clone(), flows.last()?.clone())));
    let tokens =
        done.iter().find(|d| d.task.last().op == "tokenize" && d.task.last().inputs.first() == Some(port));
    let tokens = tokens.and_then(|d| d.finished.manifest.parts.get("")?.counts.get("tokens").copied());
    let mut texts = Vec::new();
    let mut numbers = Vec::new();
    let nothing = Column::default();
    for (name, column) in &facts.columns {
        let lost = ledger.lost.columns.get(name).unwrap_or(&nothing);
        if column.numbers.count > 0 {
            numbers.push(chart(name, &column.numbers, &lost.numbers));
        }
        let own = facts.sizes.count;
        if !column.many && !column.texts.is_empty() && (column.texts.len() as u64) < own.max(8) {
            texts.push(counted(name, column, lost));
        }
    }
    // Held-out documents are not those that a source keeps for training.
    let sources = if port.part.is_some() { BTreeMap::new() } else { sources.collect() };
    Set {
        name: name(plan, port),
        documents: facts.sizes.count,
        bytes: facts.sizes.sum,
        tokens,
        sources,
        lengths: chart("bytes", &facts.sizes, &ledger.lost.sizes),
        texts,
        numbers,
        samples: facts.samples.clone(),
    }
}

fn counted(name: &str, kept: &Column, lost: &Column) -> Texts {
    let mut all: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (text, count) in &kept.texts {
        all.entry(text).or_default().0 += count;
    }
    for (text, count) in &lost.texts {
        all.entry(text).or_default().1 += count;
    }
    let mut counts: Vec<(String, u64, u64)> =
        all.into_iter().map(|(text, (kept, lost))| (text.to_owned(), kept, lost)).collect();
    counts.sort_by(|a, b| (b.1 + b.2).cmp(&(a.1 + a.2)).then_with(|| a.0.cmp(&b.0)));
    let rest = counts.split_off(counts.len().min(TEXTS));
    let others = rest.iter().fold((0, 0, 0), |sum, one| (sum.0 + 1, sum.1 + one.1, sum.2 + one.2));
    Texts { name: name.to_owned(), counts, others }
}
