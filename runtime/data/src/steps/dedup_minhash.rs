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
    tokens::id_hash,
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
    DedupMinhash = "dedup_minhash", rev 1, whole_of [Docs, Chat, Prompt, Preference], adds [cluster: Text], check sizes {
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
        Ok(Built::Barrier(Arc::new(self)))
    }
}

impl DedupMinhash {
    /// The smallest value of each hash function over the n-grams of a text; `None` for a text without words.
    fn signature(&self, text: &str) -> Option<Vec<u32>> {
        let words: Vec<u64> = plain_words(text).iter().map(|word| xxh3_64(word.as_bytes())).collect();
        let n = (self.ngram.max(1) as usize).min(words.len());
        if n == 0 {
            return None;
        }
        let functions: Vec<(u64, u64)> = (0..self.bands * self.rows)
            .map(|k| {
                let draw = |part: u64| xxh3_64_with_seed(&(2 * k + part).to_le_bytes(), self.seed);
                (draw(0) | 1, draw(1))
            })
            .collect();
        let mut least = vec![u32::MAX; functions.len()];
        for gram in words.windows(n) {
            let gram = gram
                .iter()
                .fold(0u64, |hash, word| (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31));
            // Multiply-add-shift (Dietzfelbinger) over a mixed 64-bit value.
            for (least, &(a, b)) in least.iter_mut().zip(&functions) {
                *least = (*least).min((a.wrapping_mul(gram).wrapping_add(b) >> 32) as u32);
            }
        }
        Some(least)
    }
}

/// Words in lower case and NFKD without marks and punctuation.
fn plain_words(text: &str) -> Vec<String> {
    let word = |word: &str| {
        let letters = word.nfkd().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase);
        letters.collect::<String>()
    };
    text.split_whitespace().map(word).filter(|word| !word.is_empty()).collect()
}

impl Barrier for DedupMinhash {
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
        for (band, values) in (0u64..).zip(signature.chunks_exact(self.rows.max(1) as usize)) {
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
        let mut firsts: Sorter<'_, (u32, u32)> = desk.sorter();
        for number in 0..documents {
            let first = root(&mut parents, number);
            if first != number {
                members.push((u64::from(number), u64::from(first)))?;
                firsts.push((first, number))?;
            }
        }
        drop(parents);
        self.mark(desk, firsts)?;
        clusters::report(desk, self.name(), members)
    }

    fn apply(&self, doc: &mut Document, mark: Option<&Mark>) -> Outcome {
        if mark.is_none() {
            doc.columns.insert("cluster".into(), Cell::Text(cluster(&doc.id)));
        }
        mark.map_or(Outcome::Keep, |mark| mark.apply(doc))
    }
}

impl DedupMinhash {
    /// Marks the members of clusters; `rows` are (first document, other document).
    fn mark(&self, desk: &mut Desk<'_>, rows: Sorter<'_, (u32, u32)>) -> Result<()> {
        let mut rows = rows.sorted()?.peekable();
        let mut others: Sorter<'_, (u32, String)> = desk.sorter();
        desk.each(|number, mut sketch| {
            let mut name = None;
            while let Some(row) =
                rows.next_if(|row| row.as_ref().map_or(true, |row| u64::from(row.0) == number))
            {
                let name = match &name {
                    Some(name) => name,
                    None => name.insert(cluster(&desk.unpack::<String>(&mut sketch)?)),
                };
                others.push((row?.1, name.clone()))?;
            }
            Ok(())
        })?;
        for row in others.sorted()? {
            let (number, name) = row?;
            let mut mark = Mark::cell("cluster", name);
            mark.drop = self.drop.then(|| "near duplicate".into());
            desk.mark(u64::from(number), &mark)?;
        }
        Ok(())
    }
}

/// The name of the cluster whose first document has this id.
fn cluster(id: &str) -> String {
    format!("{:016x}", id_hash(id))
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
