//! `score_token_kl`: how far the tokens of a document are from those of the corpus.

use std::collections::BTreeMap;
use std::sync::Arc;

use llmp_stdlib::arg::TokenizerRef;
use llmp_stdlib::{Column, Problem};
use xxhash_rust::xxh3::xxh3_64;

use super::{Barrier, Built, Mark, Step, located};
use crate::{
    document::Document,
    engine::{Desk, Packed},
    error::Result,
    readers::Roots,
    tokens::Tokenizer,
};

/// Counts of the corpus: tokens are counted under their id, words under a hash of so many bits.
const BITS: u32 = 22;

llmp_stdlib::def! {
    /// Adds how far a document's tokens are from those of the corpus: `.token_kl = KL(document || corpus)`, in nats (F42).
    ///
    /// Llama 3.1 drops documents with too many outlier tokens by it (section 3.1.1; the threshold is not published). With `p` the share of
    /// a token in the document and `q = (count + smoothing) / (tokens + smoothing * kinds)` its share in the whole set,
    /// the score is the sum of `p ln(p / q)`, rounded to six decimals; a document without tokens gets no column.
    /// Short documents are far from any corpus: judge by length as well. Counts take 32 MiB: words are counted by a
    /// hash of 22 bits.
    ///
    /// ```llmp
    /// dataset usual = web |> score_token_kl() |> drop_if(.token_kl > 3.5)
    /// ```
    ScoreTokenKl = "score_token_kl", rev 1, whole Docs -> Docs, adds [token_kl: Num], check smoothing {
        /// The tokenizer; without it words between whitespace count.
        tokenizer: Option<TokenizerRef> = "none",
        /// Added to each count of the corpus.
        smoothing: f64 = "1",
    }
}

fn smoothing(it: &ScoreTokenKl) -> Vec<Problem> {
    let low = it.smoothing <= 0.0;
    let message = "score_token_kl: `smoothing` must be above 0, a token the corpus lacks has no logarithm";
    low.then(|| Problem::error("LLMP0209", "smoothing", message)).into_iter().collect()
}

impl Step for ScoreTokenKl {
    fn build(self, roots: &Roots) -> Result<Built> {
        let open =
            |tokenizer: &TokenizerRef| Tokenizer::open(located("score_token_kl", &tokenizer.0, roots)?);
        let tokenizer = self.tokenizer.as_ref().map(open).transpose()?;
        Ok(Built::Barrier(Arc::new(Divergence { tokenizer, smoothing: self.smoothing })))
    }
}

#[derive(Debug)]
struct Divergence {
    tokenizer: Option<Tokenizer>,
    smoothing: f64,
}

impl Divergence {
    /// How often each token occurs, in the order of the tokens.
    fn counts(&self, text: &str) -> Vec<(u32, u32)> {
        let mut counts: BTreeMap<u32, u32> = BTreeMap::new();
        let mut add = |token: u32| *counts.entry(token & ((1 << BITS) - 1)).or_default() += 1;
        match &self.tokenizer {
            Some(tokenizer) => tokenizer.encode(text).unwrap_or_default().into_iter().for_each(&mut add),
            None => text.split_whitespace().for_each(|word| add((xxh3_64(word.as_bytes()) >> 32) as u32)),
        }
        counts.into_iter().collect()
    }
}

impl Barrier for Divergence {
    fn name(&self) -> &'static str {
        "score_token_kl"
    }

    fn adds(&self) -> Vec<(&'static str, Column)> {
        vec![("token_kl", Column::Num)]
    }

    fn sketch(&self, doc: &Document, out: &mut Vec<u8>) {
        self.counts(&doc.text).pack(out);
    }

    fn decide(&self, desk: &mut Desk<'_>) -> Result<()> {
        let mut corpus = vec![0u64; 1 << BITS];
        desk.each(|_, mut sketch| {
            let counts: Vec<(u32, u32)> = desk.unpack(&mut sketch)?;
            counts.into_iter().for_each(|(token, count)| {
                if let Some(all) = corpus.get_mut(token as usize) {
                    *all += u64::from(count);
                }
            });
            Ok(())
        })?;
        let tokens: u64 = corpus.iter().sum();
        let kinds = corpus.iter().filter(|count| **count > 0).count();
        let whole = tokens as f64 + self.smoothing * kinds as f64;
        let mut scores = desk.sorter::<(u64, u64)>();
        desk.each(|number, mut sketch| {
            let counts: Vec<(u32, u32)> = desk.unpack(&mut sketch)?;
            let own: f64 = counts.iter().map(|(_, count)| f64::from(*count)).sum();
            let term = |(token, count): (u32, u32)| {
                let p = f64::from(count) / own;
                let all = corpus.get(token as usize).copied().unwrap_or(0);
                p * (p * whole / (all as f64 + self.smoothing)).ln()
            };
            let score: f64 = counts.into_iter().map(term).sum();
            if own > 0.0 { scores.push((number, ((score * 1e6).round() / 1e6).to_bits())) } else { Ok(()) }
        })?;
        for row in scores.sorted()? {
            let (number, score) = row?;
            desk.mark(number, &Mark::cell("token_kl", f64::from_bits(score)))?;
        }
        Ok(())
    }
}
