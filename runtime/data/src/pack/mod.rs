//! Packing: the documents of one source, put one after the other and cut into rows.

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::{error::Result, tokens::TokenShard};

/// One training row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// `length + 1` token ids: inputs are `tokens[..length]`, targets `tokens[1..]`.
    pub tokens: Vec<u32>,
    /// For each of the `length + 1` tokens the index in this row at which its document begins (0 when it began in
    /// an earlier row): under a document mask, position `i` attends to `doc_start[i]..=i`.
    pub doc_start: Vec<u32>,
}

/// The rows of one epoch of one source.
///
/// Documents stand in the order of hash(document id, seed, epoch), so another source never reshuffles this one. Row
/// `r` covers tokens `r * length ..= (r + 1) * length` of that sequence: every token is a target exactly once. The
/// last row is filled up from the epoch's first documents. Rows are visited in the order of hash(row, seed, epoch),
/// or the rows of a long book would follow each other.
#[derive(Debug)]
pub struct Epoch {
    shard: Arc<TokenShard>,
    length: u64,
    /// Documents in the epoch's order.
    order: Vec<u32>,
    /// `starts[k]`: tokens before document `order[k]`; one more entry than documents.
    starts: Vec<u64>,
    /// Rows in the epoch's order.
    rows: Vec<u32>,
}

impl Epoch {
    /// Lays out epoch number `epoch` of `shard` in rows of `length` tokens. The shard must hold at least one token.
    pub fn new(shard: Arc<TokenShard>, seed: u64, epoch: u64, length: usize) -> Epoch {
        let length = length.max(1) as u64;
        let key = xxh3_64_with_seed(&epoch.to_le_bytes(), seed);
        let order = shuffled(shard.ids().iter().copied(), key);
        let mut starts = Vec::with_capacity(order.len() + 1);
        starts.push(0);
        let mut total = 0;
        for &doc in &order {
            let (from, to) = shard.range(doc as usize);
            total += to - from;
            starts.push(total);
        }
        let rows = shuffled(0..total.div_ceil(length), key ^ 1);
        Epoch { shard, length, order, starts, rows }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// The `visit`-th row of the epoch, counted from 0 and modulo their number.
    pub fn row(&self, visit: usize) -> Result<Row> {
        let total = self.starts.last().copied().unwrap_or(0);
        let mut row = Row::default();
        let Some(&number) = self.rows.get(visit % self.rows.len().max(1)) else { return Ok(row) };
        let mut at = u64::from(number) * self.length;
        // The last row comes back to the first documents.
        let mut missing = self.length + 1;
        while missing > 0 && total > 0 {
            at %= total;
            let k = self.starts.partition_point(|&start| start <= at) - 1;
            let (from, to) = self.shard.range(self.order[k] as usize);
            let offset = at - self.starts[k];
            let take = (to - from - offset).min(missing);
            let start = row.tokens.len() as u32;
            row.tokens.extend(self.shard.read(from + offset, from + offset + take)?);
            row.doc_start.resize(row.tokens.len(), start);
            at += take;
            missing -= take;
        }
        Ok(row)
    }
}

/// The indices of `keys` in the order of hash(key, seed); equal hashes keep their order.
fn shuffled(keys: impl Iterator<Item = u64>, seed: u64) -> Vec<u32> {
    let mut order: Vec<(u64, u32)> =
        keys.enumerate().map(|(i, key)| (xxh3_64_with_seed(&key.to_le_bytes(), seed), i as u32)).collect();
    order.sort_unstable();
    order.into_iter().map(|(_, index)| index).collect()
}
