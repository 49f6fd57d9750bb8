//! Drops documents whose text occurred before.

use std::sync::Arc;

use unicode_normalization::UnicodeNormalization;
use xxhash_rust::xxh3::xxh3_128;

use super::{Barrier, Built, Mark, Step, clusters};
use crate::{
    document::Document,
    engine::{Desk, Packed, Sorter},
    error::Result,
    readers::Roots,
};

llmp_stdlib::def! {
    /// Drops documents whose text occurred before; the first in document order stays.
    ///
    /// Texts are equal when they are after Unicode normalisation (NFC) and with every run of whitespace as one space.
    /// Texts are compared by a 128-bit hash; the sort spills to disk, so memory does not grow with the set. Groups are named in
    /// `clusters.jsonl`. Reason: `duplicate`.
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

    fn sketch(&self, doc: &Document, out: &mut Vec<u8>) {
        let mut text = String::with_capacity(doc.text.len());
        for word in doc.text.split_whitespace() {
            text.push(' ');
            if word.is_ascii() {
                text.push_str(word);
            } else {
                text.extend(word.nfc());
            }
        }
        clusters::id(doc, out);
        xxh3_128(text.as_bytes()).pack(out);
    }

    fn decide(&self, desk: &mut Desk<'_>) -> Result<()> {
        let mut texts: Sorter<'_, (u128, u64)> = desk.sorter();
        desk.each(|number, mut sketch| {
            let _id: String = desk.unpack(&mut sketch)?;
            texts.push((desk.unpack(&mut sketch)?, number))
        })?;
        let mut members: Sorter<'_, (u64, u64)> = desk.sorter();
        let mut first = None;
        for row in texts.sorted()? {
            let (text, number) = row?;
            match first {
                Some((same, kept)) if same == text => {
                    members.push((number, kept))?;
                    desk.mark(number, &Mark::drop("duplicate"))?;
                }
                _ => first = Some((text, number)),
            }
        }
        clusters::report(desk, self.name(), members)
    }
}
