//! A mixture: training rows drawn from several token shards by exact token shares, which may change on the way.

mod feasible;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    error::{DataError, Result},
    pack::Epoch,
    tokens::TokenShard,
};

pub use crate::pack::{Packing, Row};
pub use feasible::tempered;

/// How far one source has been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceCursor {
    /// The epoch being read, counted from 0.
    pub epoch: u64,
    /// Rows of that epoch already drawn.
    pub row: u64,
    /// Tokens drawn in all epochs, padding included.
    pub tokens: u64,
    /// Of them those drawn before the shares changed last.
    pub before: u64,
}

/// The place in a stream; [`TokenStream::restore`] goes on exactly there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// One place per source, in the order of the sources.
    pub sources: Vec<SourceCursor>,
    /// Tokens of a row.
    pub length: usize,
    /// The shares that hold, counted from 0.
    pub phase: usize,
}

#[derive(Debug)]
struct Source {
    name: String,
    shard: Arc<TokenShard>,
    max_epochs: Option<u64>,
    epoch: Epoch,
    at: SourceCursor,
}

impl Source {
    fn exhausted(&self) -> bool {
        self.max_epochs.is_some_and(|max| self.at.epoch >= max)
    }
}

/// Shares that hold from some number of tokens on, to the nearest row.
#[derive(Debug, Clone, PartialEq)]
struct Phase {
    after: u64,
    /// They add up to 1.
    shares: Vec<f64>,
}

/// An endless, deterministic stream of training rows.
///
/// Each row comes from one source. The next source is the one that lies furthest behind its share, so after any
/// number of rows (since the shares changed last) every source is within one row of it: shares are kept exactly, not on average.
#[derive(Debug)]
pub struct TokenStream {
    sources: Vec<Source>,
    /// The first begins with the stream.
    phases: Vec<Phase>,
    /// The phase that holds for the next row.
    phase: usize,
    seed: u64,
    length: usize,
    packing: Packing,
}

fn bad(what: String) -> DataError {
    DataError::Step { step: "mix", what }
}

/// Weights as shares of 1. Errors: one that is negative or no number, or none above 0.
fn shares(weights: &[f64]) -> Result<Vec<f64>> {
    let total: f64 = weights.iter().sum();
    if let Some(index) = weights.iter().position(|weight| weight.is_nan() || *weight < 0.0) {
        return Err(bad(format!("source {index} has the weight {}", weights[index])));
    }
    if !total.is_finite() || total <= 0.0 {
        return Err(bad(format!("the weights add up to {total}")));
    }
    Ok(weights.iter().map(|weight| weight / total).collect())
}

impl TokenStream {
    /// A stream over `sources` with their weights (any positive numbers; they are normalised), in rows of
    /// `length + 1` tokens of which `length` count as drawn.
    ///
    /// Errors: no source, a weight that is not positive, a source without tokens, a length of 0.
    pub fn new(sources: Vec<(TokenShard, f64)>, seed: u64, length: usize) -> Result<TokenStream> {
        if sources.is_empty() || length == 0 {
            return Err(bad("needs at least one source and a row length of at least 1".into()));
        }
        let weights: Vec<f64> = sources.iter().map(|(_, weight)| *weight).collect();
        let shares = shares(&weights)?;
        let packing = Packing::Concat;
        let build = |(index, (shard, _)): (usize, (TokenShard, f64))| {
            if shard.tokens() == 0 {
                return Err(bad(format!("source {index} has no tokens")));
            }
            let shard = Arc::new(shard);
            let epoch = Epoch::new(shard.clone(), seed, 0, length, packing);
            let name = format!("source {index}");
            Ok(Source { name, shard, max_epochs: None, epoch, at: SourceCursor::default() })
        };
        let sources = sources.into_iter().enumerate().map(build).collect::<Result<_>>()?;
        Ok(TokenStream { sources, phases: vec![Phase { after: 0, shares }], phase: 0, seed, length, packing })
    }

    /// Draws source `index` at most `epochs` times over; after that the other sources share its part.
    pub fn max_epochs(mut self, index: usize, epochs: u64) -> TokenStream {
        if let Some(source) = self.sources.get_mut(index) {
            source.max_epochs = Some(epochs);
        }
        self
    }

    /// Names for messages, in the order of the sources.
    pub fn named(mut self, names: impl IntoIterator<Item = String>) -> TokenStream {
        for (source, name) in self.sources.iter_mut().zip(names) {
            source.name = name;
        }
        self
    }

    /// Packs documents another way. Before the first row.
    pub fn packing(mut self, packing: Packing) -> TokenStream {
        if packing != self.packing {
            self.packing = packing;
            for source in &mut self.sources {
                source.epoch =
                    Epoch::new(source.shard.clone(), self.seed, source.at.epoch, self.length, packing);
            }
        }
        self
    }

    /// Other weights from the row on that follows `tokens` drawn tokens. Calls come in rising order of `tokens`.
    ///
    /// Errors: weights that are none, an order that does not rise, before the first row.
    pub fn change(mut self, tokens: u64, weights: &[f64]) -> Result<TokenStream> {
        let last = self.phases.last().map_or(0, |phase| phase.after);
        if weights.len() != self.sources.len() {
            return Err(bad(format!("{} weights for {} sources", weights.len(), self.sources.len())));
        }
        if tokens < last {
            return Err(bad(format!("a change after {tokens} tokens follows a later one")));
        }
        self.phases.push(Phase { after: tokens, shares: shares(weights)? });
        Ok(self)
    }

    /// Rows of another length from here on. Each source goes on with the first row that begins behind what was drawn of the
    /// epoch that it is in (packed rows: in proportion).
    pub fn lengthen(&mut self, length: usize) {
        if length == self.length || length == 0 {
            return;
        }
        for source in &mut self.sources {
            let mut epoch =
                Epoch::new(source.shard.clone(), self.seed, source.at.epoch, length, self.packing);
            let row = match self.packing {
                Packing::Concat => (source.at.row * self.length as u64).div_ceil(length as u64),
                Packing::BestFit => {
                    let (before, now) = (source.epoch.rows().max(1) as u64, epoch.rows() as u64);
                    (source.at.row * now).div_ceil(before)
                }
            };
            source.at.row = row;
            if source.at.row as usize >= epoch.rows() {
                (source.at.epoch, source.at.row) = (source.at.epoch + 1, 0);
                epoch = Epoch::new(source.shard.clone(), self.seed, source.at.epoch, length, self.packing);
            }
            source.epoch = epoch;
        }
        self.length = length;
    }

    /// The next row, or `None` when every source has reached its `max_epochs`.
    pub fn next_row(&mut self) -> Result<Option<Row>> {
        self.turn();
        let Some(index) = self.next_source() else { return Ok(None) };
        let source = &mut self.sources[index];
        let row = source.epoch.row(source.at.row as usize)?;
        source.at.row += 1;
        source.at.tokens += self.length as u64;
        if source.at.row as usize >= source.epoch.rows() {
            source.at.epoch += 1;
            source.at.row = 0;
            source.epoch =
                Epoch::new(source.shard.clone(), self.seed, source.at.epoch, self.length, self.packing);
        }
        Ok(Some(row))
    }

    /// Goes to the next phase where it begins with the next row.
    fn turn(&mut self) {
        let drawn: u64 = self.sources.iter().map(|s| s.at.tokens).sum();
        let length = self.length as u64;
        while self.phases.get(self.phase + 1).is_some_and(|next| next.after + length / 2 < drawn + length) {
            self.phase += 1;
            self.sources.iter_mut().for_each(|source| source.at.before = source.at.tokens);
        }
    }

    /// The source furthest behind its share among those that may still be read; the first of equals.
    fn next_source(&self) -> Option<usize> {
        let now = &self.phases[self.phase].shares;
        let all = || self.sources.iter().zip(now).enumerate().filter(|(_, (s, _))| !s.exhausted());
        // Where all that have a share are read out, those without one go on.
        let any = all().any(|(_, (_, share))| *share > 0.0);
        let open = || all().filter(|(_, (_, share))| **share > 0.0 || !any);
        let own = |s: &Source| s.at.tokens - s.at.before;
        let tokens: u64 = open().map(|(_, (s, _))| own(s)).sum();
        let shares: f64 = open().map(|(_, (_, share))| share).sum();
        let mut best: Option<(usize, f64)> = None;
        for (index, (source, share)) in open() {
            let part = if any { share / shares } else { 1.0 };
            let lag = part * (tokens + self.length as u64) as f64 - own(source) as f64;
            if best.is_none_or(|(_, most)| lag > most) {
                best = Some((index, lag));
            }
        }
        best.map(|(index, _)| index)
    }

    /// The place after the rows drawn so far.
    pub fn cursor(&self) -> Cursor {
        let sources = self.sources.iter().map(|s| s.at).collect();
        Cursor { sources, length: self.length, phase: self.phase }
    }

    /// Goes to a place that [`TokenStream::cursor`] gave for the same sources, seed, packing and changes.
    pub fn restore(&mut self, cursor: &Cursor) -> Result<()> {
        if cursor.sources.len() != self.sources.len() {
            let what =
                format!("a cursor of {} sources, a mix of {}", cursor.sources.len(), self.sources.len());
            return Err(bad(what));
        }
        if cursor.length == 0 || cursor.phase >= self.phases.len() {
            return Err(bad("a cursor of another mix".to_owned()));
        }
        (self.length, self.phase) = (cursor.length, cursor.phase);
        for (source, &at) in self.sources.iter_mut().zip(&cursor.sources) {
            source.at = at;
            source.epoch = Epoch::new(source.shard.clone(), self.seed, at.epoch, self.length, self.packing);
        }
        Ok(())
    }

    /// Tokens per row that count as drawn.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Tokens drawn from each source, padding included.
    pub fn drawn(&self) -> Vec<u64> {
        self.sources.iter().map(|s| s.at.tokens).collect()
    }

    /// Tokens in each source.
    pub fn available(&self) -> Vec<u64> {
        self.sources.iter().map(|s| s.shard.tokens()).collect()
    }

    /// Tokens of one pass over each source, padding included.
    pub fn pass(&self) -> Vec<u64> {
        match self.packing {
            Packing::Concat => self.available(),
            Packing::BestFit => self.sources.iter().map(|s| (s.epoch.rows() * self.length) as u64).collect(),
        }
    }

    /// Share of each source's rows that is padding, in the epoch that is being read.
    pub fn padding(&self) -> Vec<f64> {
        self.sources.iter().map(|s| s.epoch.padding()).collect()
    }

    /// How often each source has been read, in tokens drawn over tokens there.
    pub fn epochs(&self) -> Vec<f64> {
        match self.packing {
            Packing::Concat => self
                .drawn()
                .iter()
                .zip(self.available())
                .map(|(&drawn, all)| drawn as f64 / all as f64)
                .collect(),
            // Padding is no part of a pass.
            Packing::BestFit => {
                let passes = |s: &Source| s.at.epoch as f64 + s.at.row as f64 / s.epoch.rows().max(1) as f64;
                self.sources.iter().map(passes).collect()
            }
        }
    }
}
