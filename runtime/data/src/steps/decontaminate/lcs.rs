//! The longest common subsequence of a document with evaluation examples, by bit-parallel rows.

use std::collections::BTreeMap;

use super::sets::{Example, words};

/// Examples as numbers of words.
#[derive(Debug)]
pub(super) struct Examples {
    vocabulary: BTreeMap<String, u32>,
    examples: Vec<Numbered>,
    least: usize,
    share: f64,
}

/// The words of an example in order, and each with its count.
type Numbered = (Vec<u32>, Vec<(u32, u32)>);

/// The example with the largest share, the length of the subsequence, its share of the shorter text.
pub(super) type Found = (u32, u32, f64);

impl Examples {
    pub(super) fn new(examples: &[Example], least: u64, share: f64) -> Examples {
        let mut vocabulary = BTreeMap::new();
        let numbered = examples.iter().map(|example| {
            let word = |word: &String| {
                let next = vocabulary.len() as u32;
                *vocabulary.entry(word.clone()).or_insert(next)
            };
            let all: Vec<u32> = example.words.iter().map(word).collect();
            let mut sorted = all.clone();
            sorted.sort_unstable();
            let counts = sorted.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u32)).collect();
            (all, counts)
        });
        let examples = numbered.collect();
        Examples { vocabulary, examples, least: least as usize, share }
    }

    /// The overlap with the largest share that the rule calls contaminated.
    pub(super) fn find(&self, text: &str) -> Option<Found> {
        let words = words(text);
        let mut places: Vec<Vec<u32>> = vec![Vec::new(); self.vocabulary.len()];
        for (word, at) in words.iter().zip(0..) {
            if let Some(&number) = self.vocabulary.get(word) {
                places[number as usize].push(at);
            }
        }
        let mut best: Option<Found> = None;
        let mut rows = [Vec::new(), Vec::new()];
        for ((example, counts), number) in self.examples.iter().zip(0..) {
            let shorter = example.len().min(words.len());
            let needed = (self.share * shorter as f64).ceil().max(self.least as f64) as usize;
            // No subsequence is longer than the words that both hold.
            let common = counts.iter().map(|&(word, n)| (places[word as usize].len()).min(n as usize));
            if shorter < needed || common.sum::<usize>() < needed {
                continue;
            }
            let length = length(example, &places, words.len(), &mut rows);
            let share = length as f64 / shorter.max(1) as f64;
            if length >= needed && best.is_none_or(|(_, _, before)| share > before) {
                best = Some((number, length as u32, share));
            }
        }
        best
    }
}

/// The length of the longest common subsequence (Hyyrö 2004): one bit for each word of the document, which is 0 where
/// the length grows.
fn length(example: &[u32], places: &[Vec<u32>], words: usize, [row, matches]: &mut [Vec<u64>; 2]) -> usize {
    row.clear();
    row.resize(words.div_ceil(64), u64::MAX);
    matches.clear();
    matches.resize(row.len(), 0);
    for &word in example {
        let own = &places[word as usize];
        if own.is_empty() {
            continue;
        }
        own.iter().for_each(|&at| matches[at as usize / 64] |= 1 << (at % 64));
        let mut carry = false;
        for (bits, matches) in row.iter_mut().zip(matches.iter()) {
            let (sum, first) = bits.overflowing_add(*bits & matches);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            carry = first || second;
            *bits = sum | (*bits & !matches);
        }
        own.iter().for_each(|&at| matches[at as usize / 64] = 0);
    }
    // Bits behind the last word match nothing, so they stay 1.
    row.iter().map(|bits| bits.count_zeros() as usize).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(a: &[u32], b: &[u32]) -> usize {
        let mut row = vec![0; b.len() + 1];
        for x in a {
            let mut diagonal = 0;
            for (k, y) in b.iter().enumerate() {
                let above = row[k + 1];
                row[k + 1] = if x == y { diagonal + 1 } else { above.max(row[k]) };
                diagonal = above;
            }
        }
        row[b.len()]
    }

    #[test]
    fn lengths_are_those_of_the_plain_table() {
        let mut seed = 3u64;
        let mut draw = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for size in [1, 5, 63, 64, 65, 128, 200] {
            for _ in 0..20 {
                let doc: Vec<u32> = (0..size).map(|_| draw(9) as u32).collect();
                let example: Vec<u32> = (0..draw(90)).map(|_| draw(10) as u32).collect();
                let mut places = vec![Vec::new(); 10];
                doc.iter().zip(0..).for_each(|(&word, at)| places[word as usize].push(at));
                assert_eq!(
                    length(&example, &places, doc.len(), &mut [Vec::new(), Vec::new()]),
                    plain(&example, &doc)
                );
            }
        }
    }
}
