//! Drops documents whose text occurred before.

use std::sync::Arc;

use indexmap::IndexMap;
use unicode_normalization::UnicodeNormalization;
use xxhash_rust::xxh3::xxh3_128;

use super::{Barrier, Built, Mark, Outcome, Step};
use crate::{document::Document, error::Result, readers::Roots, tokens::id_hash};

llmp_stdlib::def! {
    /// Drops documents whose text occurred before; the first in document order stays.
    ///
    /// Texts are equal when they are after Unicode normalisation (NFC) and with every run of whitespace as one space.
    /// Texts are compared by a 128-bit hash. Reason: `duplicate`.
    ///
    /// ```llmp
    /// dataset unique = concat([books, crawl]) |> dedup_exact()
    /// ```
    DedupExact = "dedup_exact", rev 1, whole_of [Docs, Chat, Prompt, Preference] {}
}

impl Step for DedupExact {
    fn build(self, _roots: &Roots) -> Result<Built> {
        Ok(Built::Barrier(Arc::new(self)))
    }
}

impl Barrier for DedupExact {
    fn name(&self) -> &'static str {
        "dedup_exact"
    }

    fn width(&self) -> usize {
        3
    }

    fn sketch(&self, doc: &Document) -> Vec<u64> {
        let mut text = String::with_capacity(doc.text.len());
        for word in doc.text.split_whitespace() {
            text.push(' ');
            text.extend(word.nfc());
        }
        let hash = xxh3_128(text.as_bytes());
        vec![id_hash(&doc.id), (hash >> 64) as u64, hash as u64]
    }

    fn decide(&self, sketches: &[u64]) -> Vec<Mark> {
        let mut first: IndexMap<(u64, u64), u64> = IndexMap::new();
        let mark = |sketch: &[u64]| {
            let key = (sketch[1], sketch[2]);
            let keep = !first.contains_key(&key);
            Mark { cluster: *first.entry(key).or_insert(sketch[0]), keep }
        };
        sketches.chunks_exact(3).map(mark).collect()
    }

    fn apply(&self, _doc: &mut Document, mark: Mark) -> Outcome {
        if mark.keep { Outcome::Keep } else { Outcome::Drop("duplicate".into()) }
    }
}
