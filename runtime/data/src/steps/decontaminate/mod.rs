//! Drops training records that overlap with evaluation sets.

mod lcs;
mod ngrams;
mod sets;

use std::{collections::BTreeSet, sync::Arc};

use llmp_stdlib::Problem;
use serde::Serialize;

use self::sets::Example;
use super::{
    Barrier, Built, Mark, Step,
    arguments::{Lengths, share},
};
use crate::{
    document::Document,
    engine::{Desk, Packed},
    error::Result,
    readers::Roots,
};

pub use sets::{Against, Benchmarks, EvaluationSet};

llmp_stdlib::choices! {
    /// How an overlap is found.
    Overlap = "method" {
        /// Equal n-grams of words.
        Ngram = "ngram",
        /// A long common subsequence of words.
        Lcs = "lcs",
        /// Nothing is dropped: how much of each evaluation example the corpus holds is reported.
        Audit = "audit",
    }
}

llmp_stdlib::def! {
    /// Drops training records that overlap with evaluation sets (F44). Reason: `contaminated`.
    ///
    /// `ngram`: any n-gram of a length in `ngrams` that occurs in an evaluation set, except those that the corpus holds at least
    /// `common_above` times. AFM: 4 to 13 words, 811 sets, exempt from 1,000 (section 3.1.1). An example shorter than the n-gram is never
    /// found. `lcs`: the longest common subsequence with an evaluation example has at least `lcs_min` words and at least `lcs_share` of
    /// the shorter of the two. Qwen 2: 13 and 60%, for pre- and post-training data (section 3.1). In a document of many pages nearly
    /// every short question is a subsequence: the rule is for short records. `audit`: nothing is dropped; for each example the share
    /// of its words inside n-grams that the corpus holds is written to `audit.jsonl`. Llama 3.1: `ngrams = 8` (section 5.1.4, with tokens).
    ///
    /// Words are runs of letters and digits in lower case, without accents. What was hit is written to `hits.jsonl`, one line for each
    /// dropped document. Memory holds the evaluation sets (about 40 bytes for each of their n-grams) and nothing that grows with the
    /// corpus.
    ///
    /// ```llmp
    /// dataset clean = web |> decontaminate(against = benchmarks(["mmlu"]), ngrams = 4..13, common_above = 1000)
    /// ```
    Decontaminate = "decontaminate", rev 1, whole_of [Docs, Chat, Prompt, Preference], check overlap {
        /// The evaluation sets.
        against: Against,
        /// Lengths of the n-grams, in words: one, or a range.
        ngrams: Lengths = "13",
        /// Occurrences in the corpus from which an n-gram is common and does not count; `none`: each counts.
        common_above: Option<u64> = "none",
        /// How an overlap is found.
        method: Overlap = "ngram",
        /// Fewest words of a common subsequence.
        lcs_min: u64 = "13",
        /// Least share of the shorter text that it covers.
        lcs_share: f64 = "60%",
    }
}

fn overlap(it: &Decontaminate) -> Vec<Problem> {
    let mut problems: Vec<Problem> = share("lcs_share", it.lcs_share).into_iter().collect();
    let Lengths { low, high } = it.ngrams;
    if low == 0 || low > high {
        let message = format!("decontaminate: n-grams of {low} to {high} words are none");
        problems.push(Problem::error("LLMP0209", "ngrams", message));
    }
    if it.method != Overlap::Ngram && it.common_above.is_some() {
        let message = format!(
            "decontaminate: `common_above` exempts n-grams from dropping, the method is `{}`",
            name(it.method)
        );
        problems.push(Problem::error("LLMP0209", "common_above", message).fix(
            "leave it out",
            "common_above",
            "none",
        ));
    }
    problems
}

fn name(method: Overlap) -> &'static str {
    match method {
        Overlap::Ngram => "ngram",
        Overlap::Lcs => "lcs",
        Overlap::Audit => "audit",
    }
}

impl Step for Decontaminate {
    fn build(self, roots: &Roots) -> Result<Built> {
        let examples = self.against.examples(roots)?;
        let find = match self.method {
            Overlap::Ngram | Overlap::Audit => {
                Find::Ngrams(ngrams::Grams::new(&examples, self.ngrams.low, self.ngrams.high))
            }
            Overlap::Lcs => Find::Lcs(lcs::Examples::new(&examples, self.lcs_min, self.lcs_share)),
        };
        Ok(Built::Barrier(Arc::new(Ready { settings: self, examples, find })))
    }
}

/// The step with its sets read.
#[derive(Debug)]
struct Ready {
    settings: Decontaminate,
    examples: Vec<Example>,
    find: Find,
}

#[derive(Debug)]
enum Find {
    Ngrams(ngrams::Grams),
    Lcs(lcs::Examples),
}

/// One line of `hits.jsonl`: why a document was dropped.
#[derive(Serialize)]
struct Hit<'a> {
    step: &'a str,
    document: &'a str,
    set: &'a str,
    example: &'a str,
    method: &'a str,
    /// The n-gram; for a common subsequence the beginning of the example.
    overlap: String,
    /// Its length in words.
    size: u32,
    /// Of the shorter text, for a common subsequence.
    #[serde(skip_serializing_if = "Option::is_none")]
    share: Option<f64>,
    dropped: bool,
}

/// One line of `audit.jsonl`: how much of an example the corpus holds.
#[derive(Serialize)]
struct Audit<'a> {
    step: &'a str,
    set: &'a str,
    example: &'a str,
    /// Words of the example, and how many of them lie in n-grams that the corpus holds.
    words: usize,
    covered: usize,
    share: f64,
}

/// Words of an example that a hit shows.
const SHOWN: usize = 30;

impl Barrier for Ready {
    fn name(&self) -> &'static str {
        "decontaminate"
    }

    /// Nothing for a document without overlap; else its id and what was found.
    fn sketch(&self, doc: &Document, out: &mut Vec<u8>) {
        match &self.find {
            Find::Ngrams(grams) => grams.hits(&doc.text, |number| {
                if out.is_empty() {
                    doc.id.pack(out);
                }
                number.pack(out);
            }),
            Find::Lcs(examples) => {
                if let Some(found) = examples.find(&doc.text) {
                    (doc.id.clone(), found).pack(out);
                }
            }
        }
    }

    fn decide(&self, desk: &mut Desk<'_>) -> Result<()> {
        match &self.find {
            Find::Ngrams(grams) if self.settings.method == Overlap::Audit => self.audit(desk, grams),
            Find::Ngrams(grams) => self.ngrams(desk, grams),
            Find::Lcs(_) => self.subsequences(desk),
        }
    }
}

impl Ready {
    fn ngrams(&self, desk: &mut Desk<'_>, grams: &ngrams::Grams) -> Result<()> {
        let mut counts = vec![0u32; grams.len()];
        desk.each(|_, mut sketch| {
            if !sketch.is_empty() {
                let _id: String = desk.unpack(&mut sketch)?;
            }
            while !sketch.is_empty() {
                let count = counts.get_mut(desk.unpack::<u32>(&mut sketch)? as usize);
                count.into_iter().for_each(|count| *count = count.saturating_add(1));
            }
            Ok(())
        })?;
        let common = |number: u32| {
            let count = counts.get(number as usize).copied().unwrap_or(0);
            self.settings.common_above.is_some_and(|above| u64::from(count) >= above)
        };
        desk.each_marking(|desk, document, mut sketch| {
            if sketch.is_empty() {
                return Ok(());
            }
            let id: String = desk.unpack(&mut sketch)?;
            let mut longest: Option<ngrams::Place> = None;
            while !sketch.is_empty() {
                let number = desk.unpack(&mut sketch)?;
                let place = grams.place(number).filter(|_| !common(number));
                longest = match (longest, place) {
                    (Some(before), Some(place)) if place.size <= before.size => Some(before),
                    (before, place) => place.or(before),
                };
            }
            let Some(place) = longest else { return Ok(()) };
            let Some(example) = self.examples.get(place.example as usize) else { return Ok(()) };
            let words = example.words.iter().skip(place.start as usize).take(place.size as usize);
            let overlap = words.cloned().collect::<Vec<_>>().join(" ");
            self.hit(desk, document, &id, example, (overlap, place.size, None))
        })
    }

    fn subsequences(&self, desk: &mut Desk<'_>) -> Result<()> {
        desk.each_marking(|desk, document, mut sketch| {
            if sketch.is_empty() {
                return Ok(());
            }
            let (id, (number, size, share)): (String, lcs::Found) = desk.unpack(&mut sketch)?;
            let Some(example) = self.examples.get(number as usize) else { return Ok(()) };
            let overlap = example.words.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(" ");
            self.hit(desk, document, &id, example, (overlap, size, Some(share)))
        })
    }

    fn hit(
        &self,
        desk: &mut Desk<'_>,
        number: u64,
        id: &str,
        example: &Example,
        (overlap, size, share): (String, u32, Option<f64>),
    ) -> Result<()> {
        desk.mark(number, &Mark::drop("contaminated"))?;
        let hit = Hit {
            step: self.name(),
            document: id,
            set: &example.set,
            example: &example.id,
            method: name(self.settings.method),
            overlap,
            size,
            share,
            dropped: true,
        };
        desk.report("hits", &hit)
    }

    fn audit(&self, desk: &mut Desk<'_>, grams: &ngrams::Grams) -> Result<()> {
        let mut held: BTreeSet<u32> = BTreeSet::new();
        desk.each(|_, mut sketch| {
            if !sketch.is_empty() {
                let _id: String = desk.unpack(&mut sketch)?;
            }
            while !sketch.is_empty() {
                held.insert(desk.unpack(&mut sketch)?);
            }
            Ok(())
        })?;
        for example in &self.examples {
            let (words, covered) = (example.words.len(), grams.covered(example, &held));
            let share = covered as f64 / words.max(1) as f64;
            let line =
                Audit { step: self.name(), set: &example.set, example: &example.id, words, covered, share };
            desk.report("audit", &line)?;
        }
        Ok(())
    }
}
