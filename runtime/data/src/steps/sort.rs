//! `sort`: records in the order of a column.

use std::sync::Arc;

use super::{
    Barrier, Built, Step,
    ranked::{self, Rank},
};
use crate::{
    document::Document,
    engine::{Desk, Packed},
    error::Result,
    readers::Roots,
};

llmp_stdlib::def! {
    /// Orders records by a column: numbers by size, texts by their bytes, `false` before `true`; equal ones stay in document order.
    /// Records without the column come last, whichever way the order goes.
    ///
    /// ```llmp
    /// dataset long = books |> count_tokens(tok) |> sort(by = "tokens", descending = true) |> take(1000)
    /// ```
    Sort = "sort", rev 1, whole_of [Html, Docs, Chat, Prompt, Answers, Preference, Labelled], reads ranked::reads {
        /// The column.
        by: String,
        /// The highest first.
        descending: bool = "false",
    }
}

impl Step for Sort {
    fn build(self, _roots: &Roots) -> Result<Built> {
        Ok(Built::Barrier(Arc::new(self)))
    }
}

impl Barrier for Sort {
    fn name(&self) -> &'static str {
        "sort"
    }

    fn sketch(&self, doc: &Document, out: &mut Vec<u8>) {
        Rank::of(doc, &self.by).pack(out);
    }

    fn orders(&self) -> bool {
        true
    }

    fn decide(&self, desk: &mut Desk<'_>) -> Result<()> {
        let last = desk.documents();
        let mut ranks = desk.sorter::<(Rank, u64)>();
        // In a falling order equal records are numbered from the end, and the whole is turned around.
        let turned = |number: u64| if self.descending { last - 1 - number } else { number };
        desk.each(|number, mut sketch| ranks.push((desk.unpack(&mut sketch)?, turned(number))))?;
        for (place, row) in (0..).zip(ranks.sorted()?) {
            let (rank, number) = row?;
            let place = match rank {
                Rank::Missing => last + turned(number),
                _ if self.descending => last - 1 - place,
                _ => place,
            };
            desk.place(turned(number), place)?;
        }
        Ok(())
    }
}
