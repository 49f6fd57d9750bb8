//! Best-fit packing: the longest piece first, each into the fullest row that still has room.
//!
//! A row begins with the token that leads into its first piece: an end of text before the beginning of a document, else the token
//! before the piece. Behind the end of one document the next one begins, led by that end of text, so a document is seen in
//! a row exactly as it is seen alone. The end of a long document that is not first in its row has its lead repeated before it, which
//! is not predicted.

use std::collections::BTreeSet;

use super::Row;
use crate::{error::Result, tokens::TokenShard};

/// Documents that are packed with each other: memory and time do not grow with the source, and near documents of the
/// epoch's order stay near.
const WINDOW: usize = 1 << 16;

/// Tokens `from..to` of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    document: u32,
    from: u64,
    to: u64,
}

impl Piece {
    /// Whether it goes on with a document that began in another row.
    fn goes_on(&self) -> bool {
        self.from > 0
    }

    /// Places that it takes in a row that holds something already.
    fn size(&self) -> u64 {
        self.to - self.from + u64::from(self.goes_on())
    }
}

/// Pieces by row.
#[derive(Debug)]
pub(super) struct BestFit {
    pieces: Vec<Piece>,
    /// `ends[r]`: where the pieces of row `r` end.
    ends: Vec<usize>,
}

impl BestFit {
    /// Packs the documents of a shard, in the order in which they are given, into rows of `length` targets.
    pub(super) fn new(shard: &TokenShard, order: &[u32], length: u64) -> BestFit {
        let mut fit = BestFit { pieces: Vec::with_capacity(order.len()), ends: Vec::new() };
        for window in order.chunks(WINDOW) {
            let mut pieces = Vec::with_capacity(window.len());
            for &document in window {
                let (start, end) = shard.range(document as usize);
                let size = end - start;
                // Rows that one document fills by itself.
                for row in 0..size / length {
                    let (from, to) = (row * length, (row + 1) * length);
                    fit.pieces.push(Piece { document, from, to });
                    fit.ends.push(fit.pieces.len());
                }
                if size % length > 0 {
                    pieces.push(Piece { document, from: size / length * length, to: size });
                }
            }
            fit.pack(pieces, length);
        }
        fit
    }

    /// Packs pieces shorter than a row.
    fn pack(&mut self, mut pieces: Vec<Piece>, length: u64) {
        // Equal sizes stay in the epoch's order.
        pieces.sort_by_key(|piece| std::cmp::Reverse(piece.size()));
        let mut rows: Vec<Vec<Piece>> = Vec::new();
        // (room, row): of equal room the first row.
        let mut open: BTreeSet<(u64, usize)> = BTreeSet::new();
        for piece in pieces {
            let size = piece.size();
            match open.range((size, 0)..).next().copied() {
                Some((room, row)) => {
                    open.remove(&(room, row));
                    rows[row].push(piece);
                    open.insert((room - size, row));
                }
                None => {
                    open.insert((length - (piece.to - piece.from), rows.len()));
                    rows.push(vec![piece]);
                }
            }
        }
        for row in rows {
            self.pieces.extend(row);
            self.ends.push(self.pieces.len());
        }
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        self.ends.len()
    }

    /// A row, padded to `length + 1` tokens.
    pub(super) fn row(&self, shard: &TokenShard, number: usize, length: u64) -> Result<Row> {
        let end = self.ends.get(number).copied().unwrap_or(0);
        let begin = if number == 0 { 0 } else { self.ends[number - 1] };
        let mut row = Row::default();
        for piece in &self.pieces[begin..end] {
            let (start, stop) = shard.range(piece.document as usize);
            let first = row.tokens.is_empty();
            if piece.goes_on() {
                // The token before it leads in, and is a target only where it belongs.
                row.ignored.extend((!first).then_some(row.tokens.len() as u32));
                row.tokens.extend(shard.read(start + piece.from - 1, start + piece.from)?);
                row.doc_start.push(row.tokens.len() as u32 - 1);
            } else if first {
                // Every document ends with the same token, the end of text.
                row.tokens.extend(shard.read(stop - 1, stop)?);
                row.doc_start.push(0);
            }
            let own = row.tokens.len() as u32;
            row.tokens.extend(shard.read(start + piece.from, start + piece.to)?);
            row.doc_start.resize(row.tokens.len(), own);
        }
        let filled = row.tokens.len();
        let padding = row.tokens.first().copied().unwrap_or(0);
        row.tokens.resize(length as usize + 1, padding);
        row.doc_start.resize(length as usize + 1, filled as u32);
        row.ignored.extend(filled as u32..=length as u32);
        Ok(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(size: u64, from: u64) -> Piece {
        Piece { document: 0, from, to: from + size }
    }

    #[test]
    fn each_piece_goes_where_it_fits_best() {
        let mut fit = BestFit { pieces: Vec::new(), ends: Vec::new() };
        fit.pack([6, 3, 5, 2, 4].map(|size| piece(size, 0)).into(), 10);
        let rows: Vec<Vec<u64>> = [0, fit.ends[0]]
            .iter()
            .zip(&fit.ends)
            .map(|(from, to)| fit.pieces[*from..*to].iter().map(|p| p.to).collect())
            .collect();
        assert_eq!(rows, [vec![6, 4], vec![5, 3, 2]]);
    }

    #[test]
    fn the_end_of_a_long_document_needs_a_place_more_unless_it_is_first() {
        let mut fit = BestFit { pieces: Vec::new(), ends: Vec::new() };
        fit.pack(vec![piece(5, 0), piece(5, 10)], 10);
        assert_eq!(fit.ends, [2], "the end of the document leads, the other fits behind it");
        let mut fit = BestFit { pieces: Vec::new(), ends: Vec::new() };
        fit.pack(vec![piece(5, 10), piece(5, 10)], 10);
        assert_eq!(fit.ends, [1, 2]);
    }
}
