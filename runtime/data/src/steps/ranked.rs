//! The column that ranks records: its value in a sketch, in an order that bytes have.

use llmp_stdlib::Record;

use super::arguments::named;
use crate::{
    document::{Cell, Document},
    engine::{Packed, ordered},
};

/// The column that `by` names.
pub(super) fn reads(args: &Record) -> Vec<String> {
    named(args, &["by"])
}

/// A value with its order: numbers and truth values, then texts, then nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// A number, as [`ordered`] gives it; false and true are 0 and 1.
    Number(u64),
    /// A text, by its bytes.
    Text(String),
    /// The record has no such column.
    Missing,
}

impl Rank {
    /// The rank of a document by a column.
    pub(super) fn of(doc: &Document, by: &str) -> Rank {
        match doc.columns.get(by) {
            Some(Cell::Num(number)) if !number.is_nan() => Rank::Number(ordered(*number)),
            Some(Cell::Bool(truth)) => Rank::Number(ordered(f64::from(u8::from(*truth)))),
            Some(Cell::Text(text)) => Rank::Text(text.clone()),
            None if by == "text" => Rank::Text(doc.text.clone()),
            None if by == "id" => Rank::Text(doc.id.clone()),
            Some(Cell::Num(_)) | None => Rank::Missing,
        }
    }
}

impl Packed for Rank {
    fn pack(&self, out: &mut Vec<u8>) {
        match self {
            Rank::Number(number) => (0u8, *number).pack(out),
            Rank::Text(text) => {
                out.push(1);
                text.pack(out);
            }
            Rank::Missing => out.push(2),
        }
    }

    fn unpack(from: &mut &[u8]) -> Option<Rank> {
        match u8::unpack(from)? {
            0 => u64::unpack(from).map(Rank::Number),
            1 => String::unpack(from).map(Rank::Text),
            2 => Some(Rank::Missing),
            _ => None,
        }
    }

    fn heap(&self) -> usize {
        if let Rank::Text(text) = self { text.capacity() } else { 0 }
    }
}
