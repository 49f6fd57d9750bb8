//! Drops records that mean nearly the same as a better one.

use std::{cmp::Reverse, sync::Arc};

use llmp_stdlib::{Column, Problem};
use rayon::prelude::*;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::{
    Barrier, Built, Mark, Outcome, Step,
    arguments::{above_zero, named, share},
    clusters,
};
use crate::{
    document::{Cell, Document},
    engine::{Desk, Packed, Sorter, ordered},
    error::Result,
    readers::Roots,
    tokens::id_hash,
};

llmp_stdlib::def! {
    /// Drops records that mean nearly the same as a better one (F45).
    ///
    /// Records are embedded and clustered; in each cluster they are taken in order of `by`, and one stays when its largest cosine to
    /// those kept is below `threshold`. Llama 3.1 does so with RoBERTa over whole dialogues, sorted by quality times difficulty
    /// (section 4.2.3; its threshold is not published, SemDeDup's range is 0.9 to 0.95). Reason: `same meaning`.
    ///
    /// `hashed` embeds a record as 256 numbers: signed hashes of its words and pairs of words, each with 1 + ln(count). Centres come
    /// from spherical k-means over a sample of 32 records a cluster. Records are compared inside their cluster only, so one that lies
    /// between two clusters may stay. The column `cluster` names the kept record that a record is near to, `clusters.jsonl` all of
    /// them. Embeddings are sorted on disk; memory holds the sample, and the kept records of one cluster (1 KB each).
    ///
    /// ```llmp
    /// dataset varied = chats |> dedup_semantic(threshold = 0.9)
    /// ```
    DedupSemantic = "dedup_semantic", rev 1, whole_of [Docs, Chat, Prompt], reads by, adds [cluster: Text], check cosine, lacks encoder {
        /// Largest cosine to a kept record.
        threshold: f64 = "0.9",
        /// The encoder, a folder or a repository; `hashed` counts words and needs no model.
        model: String = "\"hashed\"",
        /// Clusters; within one each pair is compared.
        clusters: u64 = "1000",
        /// The column by which records are taken, the highest first; without it document order.
        by: Option<String> = "none",
        /// Seed of the clustering.
        seed: u64 = "1",
    }
}

fn by(args: &llmp_stdlib::Record) -> Vec<String> {
    named(args, &["by"])
}

fn cosine(it: &DedupSemantic) -> Vec<Problem> {
    [share("threshold", it.threshold), above_zero("clusters", it.clusters)].into_iter().flatten().collect()
}

fn encoder(it: &DedupSemantic) -> Vec<Problem> {
    if it.model == "hashed" {
        return Vec::new();
    }
    let message = "dedup_semantic: this version has one encoder, `hashed`; it cannot run a model here";
    vec![Problem::error("LLMP0703", "model", message).fix("count words", "model", "\"hashed\"")]
}

impl Step for DedupSemantic {
    fn build(self, _roots: &Roots) -> Result<Built> {
        Ok(Built::Barrier(Arc::new(self)))
    }
}

/// Numbers of an embedding.
const WIDTH: usize = 256;
/// Records of the sample for each cluster.
const SAMPLE: usize = 32;
/// Rounds of k-means.
const ROUNDS: usize = 8;
/// Records whose cluster is looked for at once.
const BATCH: usize = 4096;

/// Cluster, what it is sorted by (the best first), number, embedding as bits.
type Row = (u32, Reverse<u64>, u64, Vec<u32>);
type Vector = Vec<f32>;

impl Barrier for DedupSemantic {
    fn name(&self) -> &'static str {
        "dedup_semantic"
    }

    fn adds(&self) -> Vec<(&'static str, Column)> {
        vec![("cluster", Column::Text)]
    }

    /// Id, the value of `by`, embedding.
    fn sketch(&self, doc: &Document, out: &mut Vec<u8>) {
        clusters::id(doc, out);
        let value = match self.by.as_ref().and_then(|by| doc.columns.get(by)) {
            Some(Cell::Num(value)) => ordered(*value),
            Some(Cell::Bool(value)) => ordered(f64::from(u8::from(*value))),
            Some(Cell::Text(_)) | None => 0,
        };
        value.pack(out);
        embed(&doc.text).pack(out);
    }

    fn decide(&self, desk: &mut Desk<'_>) -> Result<()> {
        let centres = self.centres(desk)?;
        let mut records: Sorter<'_, Row> = desk.sorter();
        let mut batch: Vec<(u64, u64, Vector)> = Vec::new();
        let place = |batch: &mut Vec<(u64, u64, Vector)>, records: &mut Sorter<'_, Row>| {
            let nearest: Vec<u32> =
                batch.par_iter().map(|(_, _, vector)| nearest(&centres, vector)).collect();
            let mut all = batch.drain(..).zip(nearest);
            all.try_for_each(|((number, value, vector), cluster)| {
                records.push((cluster, Reverse(value), number, bits(&vector)))
            })
        };
        desk.each(|number, mut sketch| {
            let (_, value, vector): (String, u64, Vector) = desk.unpack(&mut sketch)?;
            // A record without words is near to none.
            if vector.iter().any(|x| *x != 0.0) {
                batch.push((number, value, vector));
            }
            if batch.len() < BATCH { Ok(()) } else { place(&mut batch, &mut records) }
        })?;
        place(&mut batch, &mut records)?;
        let mut members: Sorter<'_, (u64, u64)> = desk.sorter();
        let mut named: Sorter<'_, (u64, u64)> = desk.sorter();
        let (mut cluster, mut kept) = (0, Vec::new());
        for row in records.sorted()? {
            let (own, _, number, bits) = row?;
            if own != cluster {
                (cluster, kept) = (own, Vec::new());
            }
            let vector: Vector = bits.into_iter().map(f32::from_bits).collect();
            match self.near(&kept, &vector) {
                Some(first) => {
                    members.push((number, first))?;
                    named.push((first, number))?;
                }
                None => kept.push((number, vector)),
            }
        }
        clusters::name(desk, named, |desk, number, name| {
            desk.mark(number, &Mark::cell("cluster", name).and(Mark::drop("same meaning")))
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

impl DedupSemantic {
    /// The kept record with the largest cosine, where that reaches the threshold.
    fn near(&self, kept: &[(u64, Vector)], vector: &Vector) -> Option<u64> {
        let cosine =
            |(number, other): &(u64, Vector)| (ordered(f64::from(dot(other, vector))), Reverse(*number));
        let (cosine, Reverse(number)) = kept.par_iter().with_min_len(256).map(cosine).max()?;
        (cosine >= ordered(self.threshold)).then_some(number)
    }

    /// The centres of the clusters.
    fn centres(&self, desk: &Desk<'_>) -> Result<Vec<Vector>> {
        // The records with the smallest hashes of their ids; as many as a heap of fixed size holds.
        let wanted = (self.clusters as usize).saturating_mul(SAMPLE);
        let mut sample: std::collections::BTreeMap<(u64, u64), Vector> = Default::default();
        desk.each(|number, mut sketch| {
            let (id, _, vector): (String, u64, Vector) = desk.unpack(&mut sketch)?;
            if vector.iter().any(|x| *x != 0.0) {
                sample.insert((xxh3_64_with_seed(&id_hash(&id).to_le_bytes(), self.seed), number), vector);
                if sample.len() > wanted {
                    sample.pop_last();
                }
            }
            Ok(())
        })?;
        let sample: Vec<Vector> = sample.into_values().collect();
        // Fewer records than would fill the clusters: fewer clusters.
        let count = (self.clusters as usize).min(sample.len().div_ceil(SAMPLE));
        let mut centres: Vec<Vector> = sample.iter().take(count).cloned().collect();
        for _ in 0..ROUNDS {
            desk.context().check()?;
            let nearest: Vec<u32> = sample.par_iter().map(|vector| nearest(&centres, vector)).collect();
            let mut sums = vec![vec![0.0; WIDTH]; count];
            for (vector, cluster) in sample.iter().zip(nearest) {
                sums[cluster as usize].iter_mut().zip(vector).for_each(|(sum, x)| *sum += x);
            }
            for (centre, sum) in centres.iter_mut().zip(sums) {
                // A centre that no record is near to stays where it is.
                if sum.iter().any(|x| *x != 0.0) {
                    *centre = unit(sum);
                }
            }
        }
        Ok(centres)
    }
}

fn nearest(centres: &[Vector], vector: &Vector) -> u32 {
    let cosine = |(index, centre): (u32, &Vector)| (ordered(f64::from(dot(centre, vector))), Reverse(index));
    let best = (0..).zip(centres).map(cosine).max();
    best.map_or(0, |(_, Reverse(index))| index)
}

/// Sixteen sums side by side: the order of the additions is fixed.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; 16];
    for (a, b) in a.chunks_exact(16).zip(b.chunks_exact(16)) {
        for k in 0..16 {
            sums[k] += a[k] * b[k];
        }
    }
    sums.iter().sum()
}

fn unit(mut vector: Vector) -> Vector {
    let norm = dot(&vector, &vector).sqrt();
    if norm > 0.0 {
        vector.iter_mut().for_each(|x| *x /= norm);
    }
    vector
}

fn bits(vector: &[f32]) -> Vec<u32> {
    vector.iter().map(|x| x.to_bits()).collect()
}

/// Words and pairs of words, hashed into a unit vector.
fn embed(text: &str) -> Vector {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<u64> = words.map(|word| xxh3_64(word.to_lowercase().as_bytes())).collect();
    let pairs = words.windows(2).map(|pair| pair[0].rotate_left(17) ^ pair[1]);
    let mut features: Vec<u64> = words.iter().copied().chain(pairs).collect();
    features.sort_unstable();
    let mut vector = vec![0.0; WIDTH];
    for same in features.chunk_by(|a, b| a == b) {
        let mixed = xxh3_64(&same[0].to_le_bytes());
        let sign = if mixed >> 63 == 1 { 1.0 } else { -1.0 };
        vector[mixed as usize % WIDTH] += sign * (1.0 + (same.len() as f32).ln());
    }
    unit(vector)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearly_equal_texts_have_a_large_cosine_and_others_a_small_one() {
        let text = "The quick brown fox jumps over the lazy dog while the farmer sleeps in the old barn by the river.";
        let near = embed(&text.replace("old", "new"));
        let far = embed(
            "Interest rates rose again in March, and the bank expects prices to follow within the year.",
        );
        assert!(dot(&embed(text), &embed(text)) > 0.999);
        assert!(dot(&embed(text), &near) > 0.8);
        assert!(dot(&embed(text), &far) < 0.4);
        assert!(embed("—").iter().all(|x| *x == 0.0));
    }
}
