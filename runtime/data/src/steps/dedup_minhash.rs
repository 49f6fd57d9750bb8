//! Near-duplicates by MinHash and locality-sensitive hashing.

use std::sync::Arc;

use llmp_stdlib::{Column, Problem};
use unicode_normalization::UnicodeNormalization;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::{Barrier, Built, Mark, Outcome, Step, clusters};
use crate::{
    document::{Cell, Document},
    engine::{Desk, Packed, Sorter},
    error::Result,
    readers::Roots,
};

llmp_stdlib::def! {
    /// Drops near-duplicates: of each cluster the first in document order stays.
    ///
    /// Two documents whose sets of word n-grams have the Jaccard similarity s fall into one cluster with probability
    /// 1 - (1 - s^rows)^bands (Broder 1997; FineWeb's 14 × 8 are the defaults: 77% at s = 0.75, 99.7% at 0.85); clusters
    /// are closed under chains of such pairs. Words are compared in lower case, without punctuation and accents. The
    /// column `cluster` names the cluster, `clusters.jsonl` its members. Reason: `near duplicate`. Band hashes are sorted on disk;
    /// memory is four bytes a document.
    ///
    /// ```llmp
    /// dataset unique = web |> dedup_minhash(ngram = 5, bands = 14, rows = 8)
    /// ```
    DedupMinhash = "dedup_minhash", rev 2, whole_of [Docs, Chat, Prompt, Preference], adds [cluster: Text], check sizes {
        /// Words per n-gram.
        ngram: u64 = "5",
        /// Bands; one that is equal makes a pair.
        bands: u64 = "14",
        /// Hashes per band.
        rows: u64 = "8",
        /// `true` drops all but the first of a cluster; `false` only adds the column.
        drop: bool = "true",
        /// Seed of the hash functions.
        seed: u64 = "1",
    }
}

fn sizes(it: &DedupMinhash) -> Vec<Problem> {
    let limits = [("ngram", it.ngram, 100), ("bands", it.bands, 1000), ("rows", it.rows, 1000)];
    let bad = |(name, value, most): (&str, u64, u64)| {
        let message = format!("dedup_minhash: `{name}` is {value}, must be 1 to {most}");
        (value == 0 || value > most).then(|| Problem::error("LLMP0209", name, message))
    };
    limits.into_iter().filter_map(bad).collect()
}

impl Step for DedupMinhash {
    fn build(self, _roots: &Roots) -> Result<Built> {
        let factor = |part: u64| {
            let draw = move |k: u64, seed: u64| xxh3_64_with_seed(&(2 * k + part).to_le_bytes(), seed) as u32;
            let padded = (self.bands * self.rows).next_multiple_of(LANES as u64);
            (0..padded).map(|k| draw(k, self.seed)).collect::<Vec<u32>>()
        };
        let (factors, shifts) = (factor(0).into_iter().map(|a| a | 1).collect(), factor(1));
        Ok(Built::Barrier(Arc::new(Ready { settings: self, factors, shifts })))
    }
}

/// The step with its hash functions: `x` becomes `factor · x + shift` modulo 2^32.
#[derive(Debug)]
struct Ready {
    settings: DedupMinhash,
    factors: Vec<u32>,
    shifts: Vec<u32>,
}

/// Hash functions that are computed side by side.
const LANES: usize = 16;

impl Ready {
    /// The smallest value of each hash function over the n-grams of a text; `None` for a text without words.
    fn signature(&self, text: &str) -> Option<Vec<u32>> {
        let words = word_hashes(text);
        let n = (self.settings.ngram.max(1) as usize).min(words.len());
        if n == 0 {
            return None;
        }
        let gram = |gram: &[u64]| {
            let mix =
                |hash: u64, word: &u64| (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31);
            (gram.iter().fold(0, mix) >> 16) as u32
        };
        let grams: Vec<u32> = words.windows(n).map(gram).collect();
        let mut least = vec![u32::MAX; self.factors.len()];
        all_minima(&grams, &self.factors, &self.shifts, &mut least);
        least.truncate((self.settings.bands * self.settings.rows) as usize);
        Some(least)
    }
}

/// The same numbers on every processor; only how many are computed at once differs.
fn all_minima(grams: &[u32], factors: &[u32], shifts: &[u32], least: &mut [u32]) {
    #[cfg(target_arch = "x86_64")]
    if let Some(avx2) = pulp::x86::V3::try_new() {
        return pulp::Simd::vectorize(avx2, || minima(grams, factors, shifts, least));
    }
    minima(grams, factors, shifts, least);
}

#[inline(always)]
fn minima(grams: &[u32], factors: &[u32], shifts: &[u32], least: &mut [u32]) {
    let lanes = least.as_chunks_mut::<LANES>().0.iter_mut();
    let functions = factors.as_chunks::<LANES>().0.iter().zip(shifts.as_chunks::<LANES>().0);
    for (least, (factors, shifts)) in lanes.zip(functions) {
        for gram in grams {
            for k in 0..LANES {
                least[k] = least[k].min(factors[k].wrapping_mul(*gram).wrapping_add(shifts[k]));
            }
        }
    }
}

/// Hashes of the words in lower case and NFKD without marks and punctuation.
fn word_hashes(text: &str) -> Vec<u64> {
    let mut hashes = Vec::with_capacity(text.len() / 5);
    let mut word = Vec::new();
    for piece in text.split_whitespace() {
        word.clear();
        if piece.is_ascii() {
            let letters = piece.bytes().filter(u8::is_ascii_alphanumeric);
            word.extend(letters.map(|byte| byte.to_ascii_lowercase()));
        } else {
            let letters = piece.nfkd().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase);
            letters.for_each(|c| word.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()));
        }
        if !word.is_empty() {
            hashes.push(xxh3_64(&word));
        }
    }
    hashes
}

impl Barrier for Ready {
    fn name(&self) -> &'static str {
        "dedup_minhash"
    }

    fn adds(&self) -> Vec<(&'static str, Column)> {
        vec![("cluster", Column::Text)]
    }

    /// The id, then one hash per band; none for a document without words.
    fn sketch(&self, doc: &Document, out: &mut Vec<u8>) {
        clusters::id(doc, out);
        let signature = self.signature(&doc.text).unwrap_or_default();
        for (band, values) in (0u64..).zip(signature.chunks_exact(self.settings.rows.max(1) as usize)) {
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            xxh3_64_with_seed(&bytes, band).pack(out);
        }
    }

    fn decide(&self, desk: &mut Desk<'_>) -> Result<()> {
        let documents = u32::try_from(desk.documents());
        let documents = documents.map_err(|_| desk.error("takes at most 4,294,967,295 documents"))?;
        let mut bands: Sorter<'_, (u64, u32)> = desk.sorter();
        desk.each(|number, mut sketch| {
            let _id: String = desk.unpack(&mut sketch)?;
            while !sketch.is_empty() {
                bands.push((desk.unpack(&mut sketch)?, number as u32))?;
            }
            Ok(())
        })?;
        let mut parents: Vec<u32> = (0..documents).collect();
        let mut last = None;
        for row in bands.sorted()? {
            let (band, number) = row?;
            match last {
                Some((same, first)) if same == band => unite(&mut parents, first, number),
                _ => last = Some((band, number)),
            }
        }
        let mut members: Sorter<'_, (u64, u64)> = desk.sorter();
        let mut named: Sorter<'_, (u64, u64)> = desk.sorter();
        for number in 0..documents {
            let first = root(&mut parents, number);
            if first != number {
                members.push((u64::from(number), u64::from(first)))?;
                named.push((u64::from(first), u64::from(number)))?;
            }
        }
        drop(parents);
        clusters::name(desk, named, |desk, number, name| {
            let mut mark = Mark::cell("cluster", name);
            mark.drop = self.settings.drop.then(|| "near duplicate".into());
            desk.mark(number, &mark)
        })?;
        clusters::report(desk, self.name(), members)
    }

    fn apply(&self, doc: &mut Document, mark: Option<&Mark>) -> Outcome {
        if mark.is_none() {
            doc.columns.insert("cluster".into(), Cell::Text(clusters::of(&doc.id)));
        }
        mark.map_or(Outcome::Keep, |mark| mark.apply(doc))
    }
}

/// The first document of a cluster.
fn root(parents: &mut [u32], mut index: u32) -> u32 {
    while parents[index as usize] != index {
        parents[index as usize] = parents[parents[index as usize] as usize];
        index = parents[index as usize];
    }
    index
}

/// Makes two clusters one; the smaller index becomes its root.
fn unite(parents: &mut [u32], a: u32, b: u32) {
    let (a, b) = (root(parents, a), root(parents, b));
    parents[a.max(b) as usize] = a.min(b);
}
