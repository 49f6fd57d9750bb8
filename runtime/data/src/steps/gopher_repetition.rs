//! `gopher_repetition`: repeated lines and paragraphs, frequent and repeated word n-grams.

use std::sync::Arc;

use llmp_stdlib::Problem;
use xxhash_rust::xxh3::xxh3_64;

use super::{
    Built, Map, Outcome, Reason, Step,
    table::Table,
    tokens::Splitter,
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
    /// * Words lie between whitespace, in every language; datatrove cuts with a tokenizer for the language
    ///   (`words = tokens` by its rules for English).
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
        /// What counts as a word.
        words: Splitter = "whitespace",
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
            Some(reason) => Outcome::Drop(reason),
            None => Outcome::Keep,
        }
    }
}

impl GopherRepetition {
    /// The first rule that a text breaks, with the share that broke it.
    pub fn fault(&self, text: &str) -> Option<Reason> {
        if text.is_empty() {
            return Some("empty".into());
        }
        let total = chars(text) as f64;
        let mut table = Table::default();
        let paragraphs = split_at_newlines(text.trim(), 2);
        let (share, repeated) = repeated(&paragraphs, &mut table);
        let above = |name: &'static str, of: &'static str, value: f64, limit: Option<f64>| {
            limit.filter(|most| value > *most).map(|most| Reason::above(name, of, value, most))
        };
        let fault = above("dup_para_frac", "share of repeated paragraphs", share, self.dup_para_frac)
            .or_else(|| {
                let of = "share of characters in repeated paragraphs";
                above("dup_para_char_frac", of, repeated / total, self.dup_para_char_frac)
            });
        if fault.is_some() {
            return fault;
        }
        let lines = split_at_newlines(text, 1);
        let (share, repeated) = self::repeated(&lines, &mut table);
        let fault =
            above("dup_line_frac", "share of repeated lines", share, self.dup_line_frac).or_else(|| {
                let of = "share of characters in repeated lines";
                above("dup_line_char_frac", of, repeated / total, self.dup_line_char_frac)
            });
        if fault.is_some() {
            return fault;
        }
        let mut grams = Grams::new(text, self.words, table);
        for (n, most) in self.top_n_grams.iter().filter_map(|pair| rule(pair)) {
            let share = grams.top(n) as f64 / total;
            if share > most {
                let of = "share of characters in the most frequent n-gram";
                return Some(Reason::above(format!("top_{n}_gram"), of, share, most));
            }
        }
        for (n, most) in self.dup_n_grams.iter().filter_map(|pair| rule(pair)) {
            let share = grams.repeated(n) as f64 / total;
            if share > most {
                let of = "share of characters in repeated n-grams";
                return Some(Reason::above(format!("duplicated_{n}_n_grams"), of, share, most));
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

/// Set in a count once [`Grams::repeated`] has come by.
const SEEN: u32 = 1 << 31;

/// Odd multiplier of [`Grams::hash`] (2^64 divided by the golden ratio).
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// The runs of words of a text, by length.
///
/// A run of n + 1 words can only occur twice if the two runs of n words inside it do, so that from length to length only
/// those are looked at that still may: few in a text that people wrote.
struct Grams<'a> {
    words: Vec<&'a str>,
    /// `Σ hash · multiplier^place` of all words before each word, and of all at the end.
    sums: Vec<u64>,
    table: Table,
    /// The length that `again` speaks of; 0: of none.
    n: usize,
    /// The runs that occur more than once: the first word of each, and its slot of the table.
    again: Vec<(u32, u32)>,
    /// How often the most frequent run occurs.
    most: u32,
}

impl<'a> Grams<'a> {
    fn new(text: &'a str, splitter: Splitter, table: Table) -> Grams<'a> {
        // Positions are 32 bits wide; what lies behind four billion words is not looked at.
        // A word has about six characters.
        let mut words: Vec<&str> = Vec::with_capacity(text.len() / 5);
        let mut sums = Vec::with_capacity(text.len() / 5 + 1);
        let mut sum = 0u64;
        sums.push(0);
        splitter.each(text, |word| {
            sum = sum.wrapping_mul(MULTIPLIER).wrapping_add(xxh3_64(word.text.as_bytes()));
            words.push(word.text);
            sums.push(sum);
        });
        words.truncate(u32::MAX as usize);
        Grams { words, sums, table, n: 0, again: Vec::new(), most: 0 }
    }

    /// Hash of the run at `at`; `leaving` is the multiplier to the power of `n`.
    fn hash(&self, at: usize, n: usize, leaving: u64) -> u64 {
        let hash = self.sums[at + n].wrapping_sub(self.sums[at].wrapping_mul(leaving));
        (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
    }

    /// Turns to runs of `n` words.
    fn turn(&mut self, n: usize) {
        let leaving = (0..n).fold(1u64, |power, _| power.wrapping_mul(MULTIPLIER));
        let runs = (self.words.len() + 1).saturating_sub(n);
        let mut places = std::mem::take(&mut self.again);
        if self.n == 0 || n < self.n {
            places.clear();
            places.extend((0..runs as u32).map(|at| (at, 0)));
        } else {
            // All runs of the shorter length inside the longer one must be there; places ascend.
            let step = n - self.n;
            let whole = |i: usize| {
                places.get(i + step).is_some_and(|last| last.0 as usize == places[i].0 as usize + step)
            };
            let kept: Vec<(u32, u32)> = (0..places.len()).filter(|&i| whole(i)).map(|i| places[i]).collect();
            places = kept;
        }
        self.table.clear(places.len());
        for place in &mut places {
            let hash = self.hash(place.0 as usize, n, leaving);
            place.1 = self.table.add(hash) as u32;
        }
        self.most = places.iter().map(|place| self.table.slots[place.1 as usize].1).max().unwrap_or(0);
        if runs > 0 {
            self.most = self.most.max(1);
        }
        places.retain(|place| self.table.slots[place.1 as usize].1 > 1);
        (self.n, self.again) = (n, places);
    }

    /// Characters of the run at `at`, without spaces.
    fn size(&self, at: usize, n: usize) -> usize {
        self.words[at..at + n].iter().map(|word| chars(word)).sum()
    }

    /// Characters (spaces between words included) of all occurrences of the most frequent run, the first of equals.
    fn top(&mut self, n: usize) -> usize {
        self.turn(n);
        let first = match self.most {
            0 => return 0,
            1 => 0,
            most => {
                let is = |place: &&(u32, u32)| self.table.slots[place.1 as usize].1 == most;
                self.again.iter().find(is).map_or(0, |place| place.0 as usize)
            }
        };
        self.most as usize * (self.size(first, n) + n - 1)
    }

    /// Characters of runs that occurred before; after one that did, the search goes on behind it.
    fn repeated(&mut self, n: usize) -> usize {
        self.turn(n);
        let (mut next, mut all) = (0, 0);
        for &(at, slot) in &self.again {
            let at = at as usize;
            if at < next {
                continue;
            }
            let count = &mut self.table.slots[slot as usize].1;
            if *count & SEEN == 0 {
                *count |= SEEN;
            } else {
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

    fn top(text: &str, n: usize) -> usize {
        Grams::new(text, Splitter::Whitespace, Table::default()).top(n)
    }

    #[test]
    fn the_first_of_equally_frequent_runs_counts() {
        assert_eq!(top("aa bb cc dd", 2), 5);
        assert_eq!(top("x long word aa bb aa bb", 2), 10);
        assert_eq!((top("one", 2), top("", 1), top("one", 1)), (0, 0, 3));
        assert_eq!(Grams::new("a b a b a b", Splitter::Whitespace, Table::default()).repeated(2), 4);
    }

    /// The rules as they are written down, on words.
    fn plainly(words: &[&str], n: usize) -> (usize, usize) {
        let runs: Vec<String> = words.windows(n).map(|run| run.join(" ")).collect();
        let count = |run: &String| runs.iter().filter(|other| *other == run).count();
        let most = runs.iter().map(count).max().unwrap_or(0);
        let top = runs.iter().find(|run| count(run) == most).map_or(0, |run| most * run.chars().count());
        let mut seen = std::collections::BTreeSet::new();
        let (mut at, mut all) = (0, 0);
        while at < runs.len() {
            if seen.contains(&runs[at]) {
                all += words[at..at + n].iter().map(|word| word.chars().count()).sum::<usize>();
                at += n;
            } else {
                seen.insert(runs[at].clone());
                at += 1;
            }
        }
        (top, all)
    }

    proptest::proptest! {
        #[test]
        fn longer_runs_are_found_among_the_shorter_ones(
            words in proptest::collection::vec("[abcé]{1,2}", 0..60),
            lengths in proptest::collection::vec(1usize..6, 1..6),
        ) {
            let text = words.join(" ");
            let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
            let mut grams = Grams::new(&text, Splitter::Whitespace, Table::default());
            for n in lengths {
                let (top, repeated) = plainly(&words, n);
                proptest::prop_assert_eq!(grams.top(n), top);
                proptest::prop_assert_eq!(grams.repeated(n), repeated);
            }
        }
    }
}
