//! Steps that need the whole set: sketch each document, decide over all sketches, carry the decision out.

use std::{fmt::Debug, ops::Range};

use llmp_stdlib::Column;

use super::{Decided, Outcome, Reason};
use crate::{
    document::{Cell, Document},
    engine::{Desk, Packed},
    error::Result,
};

/// A step that needs the whole set.
///
/// The engine reads the documents twice. In the first pass it keeps on disk what [`Barrier::sketch`] says of each; then
/// [`Barrier::decide`] streams over the sketches and marks documents, with sorts that spill; in the second pass every
/// document meets its mark in [`Barrier::apply`]. No method may hold something of every document in memory, other than
/// a few bytes that the step's documentation names. `docs/dev/data-engine.md` shows how to write one.
pub trait Barrier: Send + Sync + Debug {
    /// The step's name in the language.
    fn name(&self) -> &'static str;

    /// Columns that it adds.
    fn adds(&self) -> Vec<(&'static str, Column)> {
        Vec::new()
    }

    /// Appends what the decision needs to know of a document: any bytes, or none. Called on any thread, in any order.
    fn sketch(&self, doc: &Document, out: &mut Vec<u8>);

    /// Sees all sketches in document order, as often as it wants, and marks documents.
    ///
    /// Must be deterministic; after an interruption it is called again from the beginning.
    fn decide(&self, desk: &mut Desk<'_>) -> Result<()>;

    /// Whether the stored order is the one of [`Desk::place`]. Then `decide` places every document once.
    fn orders(&self) -> bool {
        false
    }

    /// Carries the decision out. `mark` is `None` for a document that was not marked.
    fn apply(&self, doc: &mut Document, mark: Option<&Mark>) -> Outcome {
        mark.map_or(Outcome::Keep, |mark| mark.apply(doc))
    }
}

/// What a barrier decided about one document: any of its parts may be empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mark {
    /// It is dropped, for this reason. `Reason::words("same text", id_of_the_copy)` says more to `llmp trace`.
    pub drop: Option<Reason>,
    /// Columns that are set.
    pub cells: Vec<(String, Cell)>,
    /// Bytes of the text that are cut out: ascending, apart, at the boundaries of characters.
    pub cut: Vec<Range<usize>>,
}

impl Mark {
    /// Drops the document.
    pub fn drop(reason: impl Into<Reason>) -> Mark {
        Mark { drop: Some(reason.into()), ..Mark::default() }
    }

    /// Sets a column.
    pub fn cell(name: impl Into<String>, value: impl Into<Cell>) -> Mark {
        Mark { cells: vec![(name.into(), value.into())], ..Mark::default() }
    }

    /// Cuts a range of bytes out of the text.
    pub fn cut(range: Range<usize>) -> Mark {
        Mark { cut: vec![range], ..Mark::default() }
    }

    /// Both marks at once: ranges are united, the first reason stays.
    #[must_use]
    pub fn and(mut self, other: Mark) -> Mark {
        self.drop = self.drop.or(other.drop);
        self.cells.extend(other.cells);
        self.cut.extend(other.cut);
        self.cut.sort_by_key(|range| range.start);
        self.cut.dedup_by(|next, range| {
            let touches = next.start <= range.end;
            if touches {
                range.end = range.end.max(next.end);
            }
            touches
        });
        self
    }

    /// Edits the document, and says whether it goes on.
    pub fn apply(&self, doc: &mut Document) -> Outcome {
        doc.columns.extend(self.cells.iter().cloned());
        if !self.cut.is_empty() {
            let mut text = String::with_capacity(doc.text.len());
            let mut at = 0;
            for range in &self.cut {
                text.push_str(doc.text.get(at..range.start).unwrap_or_default());
                at = range.end.max(at);
            }
            text.push_str(doc.text.get(at..).unwrap_or_default());
            doc.text = text;
        }
        self.drop.clone().map_or(Outcome::Keep, Outcome::Drop)
    }
}

impl Packed for Mark {
    fn pack(&self, out: &mut Vec<u8>) {
        let by = |reason: &Reason| serde_json::to_string(reason.by.as_deref()?).ok();
        self.drop.as_ref().map(|reason| (reason.name.to_string(), by(reason))).pack(out);
        self.cells.pack(out);
        let cut: Vec<(u64, u64)> = self.cut.iter().map(|r| (r.start as u64, r.end as u64)).collect();
        cut.pack(out);
    }

    fn unpack(from: &mut &[u8]) -> Option<Mark> {
        let drop = match Option::<(String, Option<String>)>::unpack(from)? {
            Some((name, by)) => {
                let by: Option<Decided> = by.map(|by| serde_json::from_str(&by)).transpose().ok()?;
                Some(Reason { name: name.into(), by: by.map(Box::new) })
            }
            None => None,
        };
        let cells = Vec::unpack(from)?;
        let cut = Vec::<(u64, u64)>::unpack(from)?;
        let cut = cut.into_iter().map(|(start, end)| start as usize..end as usize).collect();
        Some(Mark { drop, cells, cut })
    }
}

impl Packed for Cell {
    fn pack(&self, out: &mut Vec<u8>) {
        match self {
            Cell::Bool(value) => (0u8, *value).pack(out),
            Cell::Num(value) => (1u8, *value).pack(out),
            Cell::Text(value) => {
                out.push(2);
                value.pack(out);
            }
        }
    }

    fn unpack(from: &mut &[u8]) -> Option<Cell> {
        match u8::unpack(from)? {
            0 => bool::unpack(from).map(Cell::Bool),
            1 => f64::unpack(from).map(Cell::Num),
            2 => String::unpack(from).map(Cell::Text),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_joined_carried_out_and_read_back() {
        let mark = Mark::cut(6..8).and(Mark::cell("n", 2.0)).and(Mark::cut(0..3)).and(Mark::cut(7..9));
        assert_eq!(mark.cut, [0..3, 6..9]);
        let mut doc = Document::new("d", "abcdefghijk");
        assert_eq!(mark.apply(&mut doc), Outcome::Keep);
        assert_eq!((&*doc.text, &doc.columns["n"]), ("defjk", &Cell::Num(2.0)));
        let dropped = mark.and(Mark::drop(Reason::words("first", "a#1"))).and(Mark::drop("second"));
        assert_eq!(dropped.apply(&mut doc), Outcome::Drop(Reason::words("first", "a#1")));
        let mut bytes = Vec::new();
        dropped.pack(&mut bytes);
        assert_eq!(Mark::unpack(&mut &bytes[..]), Some(dropped));
    }
}
