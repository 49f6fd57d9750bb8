//! A mixture: training rows drawn from several token shards by exact token shares.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    error::{DataError, Result},
    pack::Epoch,
    tokens::TokenShard,
};

pub use crate::pack::Row;

/// How far one source has been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceCursor {
    /// The epoch being read, counted from 0.
    pub epoch: u64,
    /// Rows of that epoch already drawn.
    pub row: u64,
    /// Rows drawn in all epochs.
    pub rows: u64,
}

/// The place in a stream; [`TokenStream::restore`] goes on exactly there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// One place per source, in the order of the sources.
    pub sources: Vec<SourceCursor>,
}

#[derive(Debug)]
struct Source {
    shard: Arc<TokenShard>,
    /// Share of the tokens; the shares of all sources add up to 1.
    share: f64,
    max_epochs: Option<u64>,
    epoch: Epoch,
    at: SourceCursor,
}

impl Source {
    fn exhausted(&self) -> bool {
        self.max_epochs.is_some_and(|max| self.at.epoch >= max)
    }
}

/// An endless, deterministic stream of training rows.
///
/// Each row comes from one source. The next source is the one that lies furthest behind its share, so after any
/// number of rows every source is within one row of it: shares are kept exactly, not on average.
#[derive(Debug)]
pub struct TokenStream {
    sources: Vec<Source>,
    seed: u64,
    length: usize,
}

impl TokenStream {
    /// A stream over `sources` with their weights (any positive numbers; they are normalised), in rows of
    /// `length + 1` tokens of which `length` count as drawn.
    ///
    /// Errors: no source, a weight that is not positive, a source without tokens, a length of 0.
    pub fn new(sources: Vec<(TokenShard, f64)>, seed: u64, length: usize) -> Result<TokenStream> {
        let bad = |what: String| DataError::Step { step: "mix", what };
        let total: f64 = sources.iter().map(|(_, weight)| weight).sum();
        if sources.is_empty() || length == 0 {
            return Err(bad("needs at least one source and a row length of at least 1".into()));
        }
        let build = |(index, (shard, weight)): (usize, (TokenShard, f64))| {
            if weight.is_nan() || weight <= 0.0 || !total.is_finite() {
                return Err(bad(format!("source {index} has the weight {weight}")));
            }
            if shard.tokens() == 0 {
                return Err(bad(format!("source {index} has no tokens")));
            }
            let shard = Arc::new(shard);
            let epoch = Epoch::new(shard.clone(), seed, 0, length);
            Ok(Source { shard, share: weight / total, max_epochs: None, epoch, at: SourceCursor::default() })
        };
        let sources = sources.into_iter().enumerate().map(build).collect::<Result<_>>()?;
        Ok(TokenStream { sources, seed, length })
    }

    /// Draws source `index` at most `epochs` times over; after that the other sources share its part.
    pub fn max_epochs(mut self, index: usize, epochs: u64) -> TokenStream {
        if let Some(source) = self.sources.get_mut(index) {
            source.max_epochs = Some(epochs);
        }
        self
    }

    /// The next row, or `None` when every source has reached its `max_epochs`.
    pub fn next_row(&mut self) -> Result<Option<Row>> {
        let Some(index) = self.next_source() else { return Ok(None) };
        let source = &mut self.sources[index];
        let row = source.epoch.row(source.at.row as usize)?;
        source.at.row += 1;
        source.at.rows += 1;
        if source.at.row as usize >= source.epoch.rows() {
            source.at.epoch += 1;
            source.at.row = 0;
            source.epoch = Epoch::new(source.shard.clone(), self.seed, source.at.epoch, self.length);
        }
        Ok(Some(row))
    }

    /// The source furthest behind its share among those that may still be read; the first of equals.
    fn next_source(&self) -> Option<usize> {
        let open = |s: &&Source| !s.exhausted();
        let rows: u64 = self.sources.iter().filter(open).map(|s| s.at.rows).sum();
        let shares: f64 = self.sources.iter().filter(open).map(|s| s.share).sum();
        let behind = |s: &Source| s.share / shares * (rows + 1) as f64 - s.at.rows as f64;
        let mut best: Option<(usize, f64)> = None;
        for (index, source) in self.sources.iter().enumerate().filter(|(_, s)| open(s)) {
            let lag = behind(source);
            if best.is_none_or(|(_, most)| lag > most) {
                best = Some((index, lag));
            }
        }
        best.map(|(index, _)| index)
    }

    /// The place after the rows drawn so far.
    pub fn cursor(&self) -> Cursor {
        Cursor { sources: self.sources.iter().map(|s| s.at).collect() }
    }

    /// Goes to a place that [`TokenStream::cursor`] gave for the same sources, seed and length.
    pub fn restore(&mut self, cursor: &Cursor) -> Result<()> {
        if cursor.sources.len() != self.sources.len() {
            let what =
                format!("a cursor of {} sources, a mix of {}", cursor.sources.len(), self.sources.len());
            return Err(DataError::Step { step: "mix", what });
        }
        for (source, &at) in self.sources.iter_mut().zip(&cursor.sources) {
            source.at = at;
            source.epoch = Epoch::new(source.shard.clone(), self.seed, at.epoch, self.length);
        }
        Ok(())
    }

    /// Tokens per row that count as drawn.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Tokens drawn from each source.
    pub fn drawn(&self) -> Vec<u64> {
        self.sources.iter().map(|s| s.at.rows * self.length as u64).collect()
    }

    /// Tokens in each source.
    pub fn available(&self) -> Vec<u64> {
        self.sources.iter().map(|s| s.shard.tokens()).collect()
    }

    /// How often each source has been read, in tokens drawn over tokens there.
    pub fn epochs(&self) -> Vec<f64> {
        self.drawn().iter().zip(self.available()).map(|(&drawn, all)| drawn as f64 / all as f64).collect()
    }
}
