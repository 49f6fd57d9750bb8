//! Language models of word n-grams with back-off: read from ARPA files, or trained with modified Kneser-Ney smoothing.
//!
//! A model holds the base-10 logarithm of the probability of each n-gram, and of the weight with which a context that
//! is not followed by a word there hands it to the next shorter context (Katz 1987; Chen and Goodman 1998).

mod arpa;
mod table;
mod train;

use xxhash_rust::xxh3::xxh3_64;

use self::table::Table;

pub use train::Trainer;

/// The longest n-grams that are read or trained.
pub const LONGEST: usize = 10;

/// The word that begins a sentence, the one that ends it, and the one that stands for all that are not known.
const BEGIN: &str = "<s>";
const END: &str = "</s>";
const UNKNOWN: &str = "<unk>";

/// Logarithm (base 10) of a probability, and of the weight handed to shorter contexts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Entry {
    probability: f32,
    backoff: f32,
}

/// An n-gram model. It is read-only: one instance serves all threads.
#[derive(Debug)]
pub struct NgramModel {
    /// Length of its longest n-grams.
    order: usize,
    /// `entries[n - 1]`: n-grams under the hash of their words, the last word first.
    entries: Vec<Table<Entry>>,
    unknown: Entry,
}

/// The hash of a word.
fn word_hash(word: &str) -> u64 {
    xxh3_64(word.as_bytes())
}

/// The hash of an n-gram that `word` makes longer at its beginning.
fn longer(hash: u64, word: u64) -> u64 {
    let mixed = (hash ^ word.rotate_left(29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 32)
}

/// The words behind a place in a text, the last first, and the back-off weights of the contexts that they make.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    words: [u64; LONGEST],
    backoffs: [f32; LONGEST],
    length: usize,
}

/// The log-probability of a text and what it is a mean over.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// Sum of the base-10 logarithms of all probabilities.
    pub log10: f64,
    /// Words and ends of sentences.
    pub tokens: u64,
    /// Words that the model does not know.
    pub unknown: u64,
}

impl Score {
    /// The perplexity, `10^(-log10 / tokens)`; `None` of nothing.
    pub fn perplexity(&self) -> Option<f64> {
        (self.tokens > 0).then(|| 10f64.powf(-self.log10 / self.tokens as f64))
    }

    fn add(&mut self, other: Score) {
        self.log10 += other.log10;
        self.tokens += other.tokens;
        self.unknown += other.unknown;
    }
}

impl NgramModel {
    /// Length of the longest n-grams.
    pub fn order(&self) -> usize {
        self.order
    }

    /// Number of n-grams of each length, the shortest first.
    pub fn counts(&self) -> Vec<usize> {
        self.entries.iter().map(Table::len).collect()
    }

    /// The score of a sentence: its words and its end, after the beginning of a sentence.
    pub fn sentence<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Score {
        let mut state = State::default();
        self.step(&mut state, word_hash(BEGIN));
        let mut score = Score::default();
        for word in words {
            score.tokens += 1;
            let (log10, known) = self.step(&mut state, word_hash(word));
            score.log10 += f64::from(log10);
            score.unknown += u64::from(!known);
        }
        score.log10 += f64::from(self.step(&mut state, word_hash(END)).0);
        score.tokens += 1;
        score
    }

    /// The score of a text: each line that is not blank is a sentence, words lie between whitespace.
    pub fn text(&self, text: &str) -> Score {
        let mut total = Score::default();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            total.add(self.sentence(line.split_whitespace()));
        }
        total
    }

    /// The log-probability of the next word, and whether it is known; the state moves on behind the word.
    fn step(&self, state: &mut State, word: u64) -> (f32, bool) {
        let known = self.entries[0].get(word).is_some();
        let word = if known { word } else { word_hash(UNKNOWN) };
        let mut next = State::default();
        let (mut hash, mut found) = (word, 0);
        let mut log10 = self.unknown.probability;
        // From the word alone to ever longer n-grams, until one is not there.
        for n in 1..=self.order.min(state.length + 1) {
            if n > 1 {
                hash = longer(hash, state.words[n - 2]);
            }
            let entry = match self.entries[n - 1].get(hash) {
                Some(entry) => *entry,
                None if n == 1 => self.unknown,
                None => break,
            };
            log10 = entry.probability;
            next.backoffs[n - 1] = entry.backoff;
            found = n;
        }
        // Contexts longer than the one that was found hand the word down.
        let weights: f32 = state.backoffs[found.saturating_sub(1)..state.length].iter().sum();
        next.length = found.min(self.order - 1);
        next.words[0] = word;
        next.words[1..LONGEST].copy_from_slice(&state.words[..LONGEST - 1]);
        *state = next;
        (log10 + weights, known)
    }
}

/// Text as ccNet prepares it for its models (Wenzek et al. 2020): lower case, accents dropped, every digit as 0, each
/// punctuation mark a word of its own. Line breaks stay.
pub fn normalized(text: &str) -> String {
    use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.nfd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase) {
        match c {
            c if c.is_numeric() => out.push('0'),
            c if c.is_alphanumeric() || c.is_whitespace() => out.push(c),
            c => {
                out.push(' ');
                out.push(c);
                out.push(' ');
            }
        }
    }
    out
}
