//! `shuffle`: records in the order of a hash.

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{Barrier, Built, Step};
use crate::{
    document::Document,
    engine::{Desk, Packed},
    error::Result,
    readers::Roots,
};

llmp_stdlib::def! {
    /// Orders records by a hash of their id and the seed. Stages shuffle by themselves; this is for what is exported or taken.
    ///
    /// Two records stand in the same order whatever else is there, so that another source does not reshuffle this one.
    ///
    /// ```llmp
    /// dataset few = books |> shuffle(seed = 3) |> take(1000)
    /// ```
    Shuffle = "shuffle", rev 1, whole_of [Html, Docs, Chat, Prompt, Answers, Preference, Labelled] {
        /// Seed of the order.
        seed: u64 = "1",
    }
}

impl Step for Shuffle {
    fn build(self, _roots: &Roots) -> Result<Built> {
        Ok(Built::Barrier(Arc::new(self)))
    }
}

impl Barrier for Shuffle {
    fn name(&self) -> &'static str {
        "shuffle"
    }

    fn sketch(&self, doc: &Document, out: &mut Vec<u8>) {
        xxh3_64_with_seed(doc.id.as_bytes(), self.seed).pack(out);
    }

    fn orders(&self) -> bool {
        true
    }

    fn decide(&self, desk: &mut Desk<'_>) -> Result<()> {
        let mut places = desk.sorter::<(u64, u64)>();
        desk.each(|number, mut sketch| places.push((desk.unpack(&mut sketch)?, number)))?;
        for row in places.sorted()? {
            let (place, number) = row?;
            desk.place(number, place)?;
        }
        Ok(())
    }
}
