//! `gopher_repetition`: repeated lines and paragraphs, frequent and repeated word n-grams.

use std::{borrow::Cow, sync::Arc};

use llmp_stdlib::Problem;
use xxhash_rust::xxh3::xxh3_64;

use super::{
    Built, Map, Outcome, Step,
    words::{chars, split_at_newlines},
};
use crate::{document::Document, error::Result, readers::Roots};

llmp_stdlib::def! {
    /// Keeps documents that do not repeat themselves too much (Rae et al. 2021, arXiv:2112.11446, table A1).
    ///
    /// The first rule that a document breaks is the reason of its drop; rules, order and names of reasons are those
    /// of datatrove's `GopherRepetitionFilter`. Shares of characters are shares of the whole text.
    ///
    /// | Reason | Drops when more than that share … |
    /// |---|---|
    /// | `empty` | (the text is empty) |
    /// | `dup_para_frac` | of the paragraphs occurred before in the document |
    /// | `dup_para_char_frac` | of the characters lies in such paragraphs |
    /// | `dup_line_frac` | of the lines occurred before |
    /// | `dup_line_char_frac` | of the characters lies in such lines |
    /// | `top_N_gram` | of the characters lies in the most frequent run of N words |
    /// | `duplicated_N_n_grams` | of the characters lies in runs of N words that occurred before |
    ///
    /// Paragraphs lie between empty lines, lines between line feeds, both without empty ones between. The most
    /// frequent run counts with the spaces between its words, also when it occurs once; of equally frequent ones the
    /// first counts. A repeated run counts without spaces, and the search goes on behind it.
    ///
    /// Differences from datatrove:
    ///
    /// * Words lie between whitespace, in every language; datatrove cuts with a tokenizer for the language.
    /// * A rule is off when its argument is `none` or its list is empty; 0 is a threshold like any other (in datatrove
    ///   it means off for lines and paragraphs).
    /// * Runs of words are equal when their words are; datatrove takes `ab c` and `a bc` for a repetition.
    /// * Whitespace is what Unicode calls so, which excludes U+001C to U+001F.
    ///
    /// ```llmp
    /// dataset clean = books |> gopher_repetition(dup_line_frac = 20%, top_n_grams = [[2, 20%], [3, 18%]])
    /// ```
    GopherRepetition = "gopher_repetition", rev 1, rows Docs -> Docs, check lengths {
        /// Largest share of lines that occurred before.
        dup_line_frac: Option<f64> = "30%",
        /// Largest share of paragraphs that occurred before.
        dup_para_frac: Option<f64> = "30%",
        /// Largest share of characters in lines that occurred before.
        dup_line_char_frac: Option<f64> = "20%",
        /// Largest share of characters in paragraphs that occurred before.
        dup_para_char_frac: Option<f64> = "20%",
        /// Pairs of a number of words and the largest share of characters in the most frequent run of so many words.
        top_n_grams: Vec<Vec<f64>> = "[[2, 20%], [3, 18%], [4, 16%]]",
        /// Pairs of a number of words and the largest share of characters in repeated runs of so many words.
        dup_n_grams: Vec<Vec<f64>> = "[[5, 15%], [6, 14%], [7, 13%], [8, 12%], [9, 11%], [10, 10%]]",
    }
}

/// The longest run of words that a rule may name.
const LONGEST: f64 = 1000.0;

/// Number of words and share of one entry of `top_n_grams` and `dup_n_grams`, if it is one.
fn rule(pair: &[f64]) -> Option<(usize, f64)> {
    match *pair {
        [n, most] if n.fract() == 0.0 && (1.0..=LONGEST).contains(&n) => Some((n as usize, most)),
        _ => None,
    }
}

fn lengths(it: &GopherRepetition) -> Vec<Problem> {
    let named = [("top_n_grams", &it.top_n_grams), ("dup_n_grams", &it.dup_n_grams)];
    let bad = named.into_iter().filter(|(_, list)| list.iter().any(|pair| rule(pair).is_none()));
    let words = |name| {
        format!(
            "an entry of `{name}` is a number of words (1 to {LONGEST}) and the largest share: `[2, 20%]`"
        )
    };
    bad.map(|(name, _)| Problem::error("LLMP0209", name, words(name))).collect()
}

impl Step for GopherRepetition {
    fn build(self, _roots: &Roots) -> Result<Built> {
        Ok(Built::Map(Arc::new(self)))
    }
}

impl Map for GopherRepetition {
    fn name(&self) -> &'static str {
        "gopher_repetition"
    }

    fn apply(&self, doc: &mut Document) -> Outcome {
        match self.fault(&doc.text) {
            Some(reason) => Outcome::Drop(reason.into()),
            None => Outcome::Keep,
        }
    }
}

impl GopherRepetition {
    /// The first rule that a text breaks.
    pub fn fault(&self, text: &str) -> Option<Cow<'static, str>> {
        if text.is_empty() {
            return Some("empty".into());
        }
        let total = chars(text) as f64;
        let mut table = Table::default();
        let paragraphs = split_at_newlines(text.trim(), 2);
        let (share, repeated) = repeated(&paragraphs, &mut table);
        if self.dup_para_frac.is_some_and(|most| share > most) {
            return Some("dup_para_frac".into());
        }
        if self.dup_para_char_frac.is_some_and(|most| repeated / total > most) {
            return Some("dup_para_char_frac".into());
        }
        let lines = split_at_newlines(text, 1);
        let (share, repeated) = self::repeated(&lines, &mut table);
        if self.dup_line_frac.is_some_and(|most| share > most) {
            return Some("dup_line_frac".into());
        }
        if self.dup_line_char_frac.is_some_and(|most| repeated / total > most) {
            return Some("dup_line_char_frac".into());
        }
        let words = Words::new(text);
        for (n, most) in self.top_n_grams.iter().filter_map(|pair| rule(pair)) {
            if words.top(n, &mut table) as f64 / total > most {
                return Some(format!("top_{n}_gram").into());
            }
        }
        for (n, most) in self.dup_n_grams.iter().filter_map(|pair| rule(pair)) {
            if words.repeated(n, &mut table) as f64 / total > most {
                return Some(format!("duplicated_{n}_n_grams").into());
            }
        }
        None
    }
}

/// Share of pieces that occurred before, and their characters.
fn repeated(pieces: &[&str], table: &mut Table) -> (f64, f64) {
    table.clear(pieces.len());
    let again = pieces.iter().filter(|piece| table.count(xxh3_64(piece.as_bytes())) > 1);
    let (number, all) = again.fold((0, 0), |(number, all), piece| (number + 1, all + chars(piece)));
    (f64::from(number) / pieces.len() as f64, all as f64)
}

/// Counts of 64-bit hashes: open addressing, at least half of it empty. Hashes are taken to be equal only for equal
/// things; for a million of them that fails with a chance of 1 in 30 million.
#[derive(Default)]
struct Table {
    /// Hash and count; a count of 0 marks a free slot.
    slots: Vec<(u64, u32)>,
}

impl Table {
    /// Empties it and makes room for `items`.
    fn clear(&mut self, items: usize) {
        self.slots.clear();
        self.slots.resize((items * 2).next_power_of_two(), (0, 0));
    }

    /// Counts one more of `hash`; how often it came so far.
    fn count(&mut self, hash: u64) -> u32 {
        let mask = self.slots.len() - 1;
        let mut at = (hash >> 32) as usize & mask;
        loop {
            let slot = &mut self.slots[at];
            if slot.1 == 0 || slot.0 == hash {
                *slot = (hash, slot.1 + 1);
                return slot.1;
            }
            at = (at + 1) & mask;
        }
    }
}

/// Odd multiplier of [`Words::grams`] (2^64 divided by the golden ratio).
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// Words with what the n-gram rules need of each.
struct Words {
    hashes: Vec<u64>,
    /// Characters before each word, and in all words at the end.
    sums: Vec<usize>,
}

impl Words {
    fn new(text: &str) -> Words {
        let mut words = Words { hashes: Vec::new(), sums: vec![0] };
        let mut sum = 0;
        for word in text.split_whitespace() {
            sum += chars(word);
            words.hashes.push(xxh3_64(word.as_bytes()));
            words.sums.push(sum);
        }
        words
    }

    /// Hashes of all n-grams, each made from the one before it: `Σ hash · multiplier^place`, then mixed.
    fn grams(&self, n: usize) -> impl Iterator<Item = u64> {
        let leaving = (0..n).fold(1u64, |power, _| power.wrapping_mul(MULTIPLIER));
        let roll = move |hash: u64, old: u64, new: u64| {
            hash.wrapping_mul(MULTIPLIER).wrapping_add(new).wrapping_sub(old.wrapping_mul(leaving))
        };
        let head = self.hashes.get(..n - 1).unwrap_or(&self.hashes);
        let first = head.iter().fold(0, |hash, &word| roll(hash, 0, word));
        let tail = self.hashes.get(n - 1..).unwrap_or(&[]);
        let old = std::iter::once(0).chain(self.hashes.iter().copied());
        let rolled = tail.iter().zip(old).scan(first, move |hash, (&new, old)| {
            *hash = roll(*hash, old, new);
            Some(*hash)
        });
        rolled.map(|hash| (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9))
    }

    /// Characters of the n-gram at `at`, without spaces.
    fn size(&self, at: usize, n: usize) -> usize {
        self.sums[at + n] - self.sums[at]
    }

    /// Characters (spaces between words included) of all occurrences of the most frequent n-gram, the first of equals.
    fn top(&self, n: usize, table: &mut Table) -> usize {
        table.clear(self.hashes.len());
        let most = self.grams(n).map(|gram| table.count(gram)).max().unwrap_or(0);
        if most == 0 {
            return 0;
        }
        let winners: Vec<u64> = table.slots.iter().filter(|slot| slot.1 == most).map(|slot| slot.0).collect();
        let first = self.first_of(n, winners);
        first.map_or(0, |at| most as usize * (self.size(at, n) + n - 1))
    }

    /// Where the first n-gram with one of these hashes lies.
    fn first_of(&self, n: usize, mut hashes: Vec<u64>) -> Option<usize> {
        hashes.sort_unstable();
        self.grams(n).position(|gram| hashes.binary_search(&gram).is_ok())
    }

    /// Characters of n-grams that occurred before; after one that did, the search goes on behind it.
    fn repeated(&self, n: usize, table: &mut Table) -> usize {
        table.clear(self.hashes.len());
        let (mut next, mut all) = (0, 0);
        for (at, gram) in self.grams(n).enumerate() {
            if at < next {
                continue;
            }
            if table.count(gram) > 1 {
                all += self.size(at, n);
                next = at + n;
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rolled_hashes_depend_on_the_words_alone() {
        let words = Words::new("a b c x a b c y a b");
        let grams: Vec<u64> = words.grams(3).collect();
        assert_eq!(grams.len(), 8);
        assert_eq!(grams[0], grams[4]);
        let different: std::collections::BTreeSet<u64> = grams.iter().copied().collect();
        assert_eq!(different.len(), 7);
        assert_eq!(words.grams(10).count(), 1);
        assert_eq!(words.grams(11).count(), 0);
        assert_eq!(Words::new("").grams(1).count(), 0);
    }

    #[test]
    fn the_first_of_equally_frequent_runs_counts() {
        let mut table = Table::default();
        assert_eq!(Words::new("aa bb cc dd").top(2, &mut table), 5);
        assert_eq!(Words::new("x long word aa bb aa bb").top(2, &mut table), 10);
        assert_eq!(Words::new("one").top(2, &mut table), 0);
        assert_eq!(Words::new("a b a b a b").repeated(2, &mut table), 4);
    }
}
