//! `sample`: a random share, or a number of records.

use std::sync::Arc;

use llmp_stdlib::{Problem, Record, Value};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{Barrier, Built, Documents, Map, Mark, Outcome, Step, arguments::share};
use crate::{
    document::Document,
    engine::{Desk, Packed, Sorter},
    error::Result,
    readers::Roots,
};

llmp_stdlib::def! {
    /// Keeps a random share, or a number of records.
    ///
    /// Chosen by a hash of the record's id and the seed, so that another source changes nothing for this one, and a larger share keeps
    /// what a smaller one does. A `count` needs the whole set and keeps exactly as many; a `share` does not, and keeps about so many. Llama 3.1 samples web topics
    /// that are over-represented (section 3.1.2). Reason: `not sampled`.
    ///
    /// ```llmp
    /// dataset fewer = arts |> sample(share = 30%)
    /// ```
    Sample = "sample", rev 1, rows_of [Html, Docs, Chat, Prompt, Answers, Preference, Labelled], check one_size {
        /// Share of the records that stay.
        share: Option<f64> = "none",
        /// Number of records that stay.
        count: Option<Documents> = "none",
        /// Seed of the choice.
        seed: u64 = "1",
    }
}

fn one_size(it: &Sample) -> Vec<Problem> {
    match (it.share, it.count) {
        (Some(_), Some(_)) => {
            vec![Problem::error("LLMP0602", "count", "sample: `share` and `count` exclude each other")]
        }
        (None, None) => {
            let problem = Problem::error("LLMP0601", "", "sample needs `share` or `count`");
            vec![problem.fix("keep a tenth", "share", "10%")]
        }
        (size, _) => size.and_then(|s| share("share", s)).into_iter().collect(),
    }
}

/// Whether the arguments ask for a number of records, which the whole set decides.
pub(super) fn counts(args: &Record) -> bool {
    args.get("count").is_some_and(|count| *count != Value::None)
}

const REASON: &str = "not sampled";

impl Step for Sample {
    fn build(self, _roots: &Roots) -> Result<Built> {
        Ok(match self.count {
            Some(_) => Built::Barrier(Arc::new(self)),
            None => Built::Map(Arc::new(self)),
        })
    }
}

impl Sample {
    fn draw(&self, doc: &Document) -> u64 {
        xxh3_64_with_seed(doc.id.as_bytes(), self.seed)
    }
}

impl Map for Sample {
    fn name(&self) -> &'static str {
        "sample"
    }

    fn apply(&self, doc: &mut Document) -> Outcome {
        // 53 bits: every such number is exact as f64.
        let draw = (self.draw(doc) >> 11) as f64;
        match draw < self.share.unwrap_or(1.0) * (1u64 << 53) as f64 {
            true => Outcome::Keep,
            false => Outcome::Drop(REASON.into()),
        }
    }
}

impl Barrier for Sample {
    fn name(&self) -> &'static str {
        "sample"
    }

    fn sketch(&self, doc: &Document, out: &mut Vec<u8>) {
        self.draw(doc).pack(out);
    }

    fn decide(&self, desk: &mut Desk<'_>) -> Result<()> {
        let mut draws: Sorter<'_, (u64, u64)> = desk.sorter();
        desk.each(|number, mut sketch| draws.push((desk.unpack(&mut sketch)?, number)))?;
        let count = self.count.map_or(0, |count| count.0);
        for (rank, row) in (0..).zip(draws.sorted()?) {
            let (_, number) = row?;
            if rank >= count {
                desk.mark(number, &Mark::drop(REASON))?;
            }
        }
        Ok(())
    }
}
