//! Cuts a dataset in two: a training half and a held-out half that no training sees.

use llmp_stdlib::Problem;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{Built, Step};
use crate::{
    document::{Cell, Document},
    error::Result,
    readers::Roots,
};

llmp_stdlib::def! {
    /// Holds a part of the documents back: the dataset itself is the training half, `.heldout` the rest.
    ///
    /// Chosen by a hash of the document's dedup cluster (of its id where there is no column `cluster`), so that
    /// near-duplicates stay on one side and another source changes nothing for this one.
    ///
    /// ```llmp
    /// dataset clean = books |> dedup_minhash() |> split(heldout = 2%)
    /// ```
    Split = "split", rev 1, rows_of [Docs, Chat, Prompt, Answers, Preference, Labelled], parts ["heldout"], check share {
        /// Share of the documents held out.
        heldout: f64 = "1%",
        /// Seed of the choice.
        seed: u64 = "1",
    }
}

fn share(it: &Split) -> Vec<Problem> {
    if it.heldout > 0.0 && it.heldout < 1.0 {
        return Vec::new();
    }
    vec![Problem::error("LLMP0209", "heldout", "split: `heldout` must lie between 0% and 100%")]
}

impl Step for Split {
    fn build(self, _roots: &Roots) -> Result<Built> {
        Ok(Built::Split(self))
    }
}

impl Split {
    /// Whether a document is held out.
    pub fn holds_out(&self, doc: &Document) -> bool {
        let key = match doc.columns.get("cluster") {
            Some(Cell::Text(cluster)) => cluster,
            _ => &doc.id,
        };
        // 53 bits: every such number is exact as f64.
        let draw = xxh3_64_with_seed(key.as_bytes(), self.seed) >> 11;
        (draw as f64) < self.heldout * (1u64 << 53) as f64
    }
}
