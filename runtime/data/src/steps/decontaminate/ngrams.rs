//! n-grams of evaluation sets: which of them a document holds.

use std::{collections::BTreeSet, hash::BuildHasherDefault};

use indexmap::IndexMap;
use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

use super::sets::{Example, words};

/// Where an n-gram stands in the evaluation sets, the first time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) example: u32,
    pub(super) start: u32,
    pub(super) size: u32,
}

/// The n-grams of all examples, numbered.
#[derive(Debug)]
pub(super) struct Grams {
    low: usize,
    high: usize,
    places: IndexMap<u64, Place, BuildHasherDefault<Xxh3Default>>,
}

impl Grams {
    /// All n-grams of `low` to `high` words.
    pub(super) fn new(examples: &[Example], low: u64, high: u64) -> Grams {
        let (low, high) = (low as usize, high as usize);
        let mut grams = Grams { low, high, places: IndexMap::default() };
        for (example, number) in examples.iter().zip(0..) {
            let hashes = hashes(&example.words);
            for start in 0..hashes.len() {
                each_gram(&hashes[start..], low, high, |hash, size| {
                    let place = Place { example: number, start: start as u32, size: size as u32 };
                    grams.places.entry(hash).or_insert(place);
                    true
                });
            }
        }
        grams
    }

    /// Calls `found` with the number of every n-gram of the text that is one of these, as often as it occurs.
    pub(super) fn hits(&self, text: &str, mut found: impl FnMut(u32)) {
        let hashes = hashes(&words(text));
        for start in 0..hashes.len() {
            // Every beginning of an n-gram of a set is one too, so the first that is not found ends the search.
            each_gram(&hashes[start..], self.low, self.high, |hash, _| {
                match self.places.get_index_of(&hash) {
                    Some(number) => {
                        found(number as u32);
                        true
                    }
                    None => false,
                }
            });
        }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn place(&self, number: u32) -> Option<Place> {
        self.places.get_index(number as usize).map(|(_, place)| *place)
    }

    /// How many words of an example lie inside n-grams that are `held`.
    pub(super) fn covered(&self, example: &Example, held: &BTreeSet<u32>) -> usize {
        let hashes = hashes(&example.words);
        let mut covered = vec![false; hashes.len()];
        for start in 0..hashes.len() {
            each_gram(&hashes[start..], self.low, self.high, |hash, size| {
                let number = self.places.get_index_of(&hash).map(|number| number as u32);
                if number.is_some_and(|number| held.contains(&number)) {
                    covered[start..start + size].fill(true);
                }
                true
            });
        }
        covered.into_iter().filter(|covered| *covered).count()
    }
}

fn hashes(words: &[String]) -> Vec<u64> {
    words.iter().map(|word| xxh3_64(word.as_bytes())).collect()
}

/// Calls `found` with the hash and the size of every n-gram at the beginning, until it says `false`.
fn each_gram(words: &[u64], low: usize, high: usize, mut found: impl FnMut(u64, usize) -> bool) {
    let mut hash = 0u64;
    for (word, size) in words.iter().take(high).zip(1..) {
        hash = (hash.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        if size >= low && !found(hash ^ size as u64, size) {
            break;
        }
    }
}
