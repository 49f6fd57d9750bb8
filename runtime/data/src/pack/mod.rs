//! Packing: how the documents of one source become rows of one length.

mod best_fit;

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::{error::Result, tokens::TokenShard};

use best_fit::BestFit;

llmp_stdlib::choices! {
    /// How documents become rows.
    Packing = "packing" {
        /// One after the other, cut where a row is full: no padding, and a document may begin in one row and end in the next.
        Concat = "concat",
        /// Whole documents, each in the fullest row that still has room (Ding et al. 2024, arXiv:2404.10830): only documents longer than a row are
        /// cut; what is left of rows is padding that is never predicted.
        BestFit = "best_fit",
    }
}

/// One training row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// `length + 1` token ids: inputs are `tokens[..length]`, targets `tokens[1..]`.
    pub tokens: Vec<u32>,
    /// For each of the `length + 1` tokens the index in this row at which its document begins (0 when it began in
    /// an earlier row): under a document mask, position `i` attends to `doc_start[i]..=i`.
    pub doc_start: Vec<u32>,
    /// Indices of tokens that are not to be predicted: padding, and tokens that only lead into what follows.
    pub ignored: Vec<u32>,
}

/// The rows of one epoch of one source.
///
/// Documents stand in the order of hash(document id, seed, epoch), so another source never reshuffles this one. Rows are
/// visited in the order of hash(row, seed, epoch), or the rows of a long book would follow each other. Every token is
/// a target exactly once; only the last row of [`Packing::Concat`] is filled up from the epoch's first documents.
#[derive(Debug)]
pub struct Epoch {
    shard: Arc<TokenShard>,
    length: u64,
    layout: Layout,
    /// Rows in the epoch's order.
    rows: Vec<u32>,
}

#[derive(Debug)]
enum Layout {
    Concat(Concat),
    BestFit(BestFit),
}

/// Row `r` covers tokens `r * length ..= (r + 1) * length` of the documents in their order.
#[derive(Debug)]
struct Concat {
    /// Documents in the epoch's order.
    order: Vec<u32>,
    /// `starts[k]`: tokens before document `order[k]`; one more entry than documents.
    starts: Vec<u64>,
}

impl Epoch {
    /// Lays out epoch number `epoch` of `shard` in rows of `length` tokens. The shard must hold at least one token.
    pub fn new(shard: Arc<TokenShard>, seed: u64, epoch: u64, length: usize, packing: Packing) -> Epoch {
        let length = length.max(1) as u64;
        let key = xxh3_64_with_seed(&epoch.to_le_bytes(), seed);
        let order = shuffled(shard.ids().iter().copied(), key);
        let (layout, count) = match packing {
            Packing::Concat => {
                let concat = Concat::new(&shard, order);
                let count = concat.total().div_ceil(length);
                (Layout::Concat(concat), count)
            }
            Packing::BestFit => {
                let fit = BestFit::new(&shard, &order, length);
                let count = fit.rows() as u64;
                (Layout::BestFit(fit), count)
            }
        };
        Epoch { rows: shuffled(0..count, key ^ 1), shard, length, layout }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Share of the rows' places that holds no token of a document.
    pub fn padding(&self) -> f64 {
        let places = self.rows.len() as f64 * self.length as f64;
        if places > 0.0 { (1.0 - self.shard.tokens() as f64 / places).max(0.0) } else { 0.0 }
    }

    /// The `visit`-th row of the epoch, counted from 0 and modulo their number.
    pub fn row(&self, visit: usize) -> Result<Row> {
        let Some(&number) = self.rows.get(visit % self.rows.len().max(1)) else { return Ok(Row::default()) };
        match &self.layout {
            Layout::Concat(concat) => concat.row(&self.shard, u64::from(number), self.length),
            Layout::BestFit(fit) => fit.row(&self.shard, number as usize, self.length),
        }
    }
}

impl Concat {
    fn new(shard: &TokenShard, order: Vec<u32>) -> Concat {
        let mut starts = Vec::with_capacity(order.len() + 1);
        starts.push(0);
        let mut total = 0;
        for &doc in &order {
            let (from, to) = shard.range(doc as usize);
            total += to - from;
            starts.push(total);
        }
        Concat { order, starts }
    }

    fn total(&self) -> u64 {
        self.starts.last().copied().unwrap_or(0)
    }

    fn row(&self, shard: &TokenShard, number: u64, length: u64) -> Result<Row> {
        let total = self.total();
        let mut row = Row::default();
        let mut at = number * length;
        // The last row comes back to the first documents.
        let mut missing = length + 1;
        while missing > 0 && total > 0 {
            at %= total;
            let k = self.starts.partition_point(|&start| start <= at) - 1;
            let (from, to) = shard.range(self.order[k] as usize);
            let offset = at - self.starts[k];
            let take = (to - from - offset).min(missing);
            let start = row.tokens.len() as u32;
            row.tokens.extend(shard.read(from + offset, from + offset + take)?);
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
