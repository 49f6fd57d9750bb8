//! Training with interpolated modified Kneser-Ney smoothing (Chen and Goodman 1998; Heafield et al. 2013).
//!
//! Every n-gram is a node: its words without the last are its prefix, its words without the first its suffix. A
//! sentence walks through the nodes of all lengths at once.

use std::io::{self, Write};

use super::{BEGIN, END, Entry, LONGEST, NgramModel, Table, UNKNOWN, longer, word_hash};

/// Words with these numbers are not counted among others.
const BEGIN_WORD: u32 = 0;
const END_WORD: u32 = 1;
const UNKNOWN_WORD: u32 = 2;

/// Discounts of counts 1, 2 and 3 or more where too few n-grams are there to estimate them (as KenLM's `--discount_fallback`).
const FALLBACK: [f64; 3] = [0.5, 1.0, 1.5];

/// One n-gram.
#[derive(Clone, Copy, Debug)]
struct Node {
    prefix: u32,
    suffix: u32,
    word: u32,
    /// How often it occurred; later, for shorter ones, behind how many words.
    count: u64,
}

/// What is known of an n-gram as a context.
#[derive(Clone, Copy, Debug, Default)]
struct Context {
    total: f64,
    /// How many words follow it once, twice, more often.
    kinds: [u64; 3],
}

/// Counts n-grams and makes a model of them. The same sentences in the same order give the same model.
#[derive(Debug)]
pub struct Trainer {
    order: usize,
    words: Vec<String>,
    numbers: Table<u32>,
    /// `levels[n - 1]`: the n-grams in the order in which they first occurred.
    levels: Vec<Vec<Node>>,
    /// Places of n-grams under (prefix, word).
    places: Vec<Table<u32>>,
}

impl Trainer {
    /// Counts n-grams of up to `order` words (2 to 10).
    pub fn new(order: usize) -> Trainer {
        let order = order.clamp(2, LONGEST);
        let mut trainer = Trainer {
            order,
            words: Vec::new(),
            numbers: Table::with_capacity(1 << 10),
            levels: vec![Vec::new(); order],
            places: (0..order).map(|_| Table::with_capacity(1 << 10)).collect(),
        };
        for word in [BEGIN, END, UNKNOWN] {
            let number = trainer.number(word);
            trainer.node(0, 0, 0, number);
        }
        trainer
    }

    fn number(&mut self, word: &str) -> u32 {
        let next = self.words.len() as u32;
        let number = *self.numbers.entry(word_hash(word), || next);
        if number == next {
            self.words.push(word.to_owned());
        }
        number
    }

    /// The place of an n-gram among those of its length.
    fn node(&mut self, level: usize, prefix: u32, suffix: u32, word: u32) -> u32 {
        let nodes = &mut self.levels[level];
        let next = nodes.len() as u32;
        let key =
            (u64::from(prefix) << 32 | u64::from(word)).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let place = *self.places[level].entry(key, || next);
        if place == next {
            nodes.push(Node { prefix, suffix, word, count: 0 });
        }
        place
    }

    /// Counts one sentence.
    pub fn sentence<'a>(&mut self, words: impl IntoIterator<Item = &'a str>) {
        // The n-grams that end at the word before, the shortest first.
        let mut before = vec![BEGIN_WORD];
        let mut now = Vec::with_capacity(self.order);
        self.levels[0][BEGIN_WORD as usize].count += 1;
        for word in words.into_iter().map(Some).chain([None]) {
            let number = word.map_or(END_WORD, |word| self.number(word));
            now.clear();
            for level in 0..self.order.min(before.len() + 1) {
                let (prefix, suffix) = match level {
                    0 => (0, 0),
                    level => (before[level - 1], now[level - 1]),
                };
                let place = self.node(level, prefix, suffix, number);
                self.levels[level][place as usize].count += 1;
                now.push(place);
            }
            std::mem::swap(&mut before, &mut now);
        }
    }

    /// Counts a text: each line that is not blank is a sentence, words lie between whitespace.
    pub fn text(&mut self, text: &str) {
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            self.sentence(line.split_whitespace());
        }
    }

    /// How many words were counted, each once.
    pub fn vocabulary(&self) -> usize {
        self.words.len() - 3
    }

    /// The model of what was counted.
    pub fn finish(self) -> NgramModel {
        let smoothed = self.smoothed();
        let mut entries = Vec::with_capacity(self.order);
        for (level, values) in smoothed.into_iter().enumerate() {
            let mut table = Table::with_capacity(values.len());
            for (place, entry) in values.into_iter().enumerate() {
                *table.entry(self.hash(level, place), Entry::default) = entry;
            }
            entries.push(table);
        }
        let unknown = entries[0].get(word_hash(UNKNOWN)).copied().unwrap_or_default();
        NgramModel { order: self.order, entries, unknown }
    }

    /// The model of what was counted as an ARPA file.
    pub fn write_arpa(&self, out: &mut impl Write) -> io::Result<()> {
        let smoothed = self.smoothed();
        writeln!(out, "\\data\\")?;
        for (level, nodes) in self.levels.iter().enumerate() {
            writeln!(out, "ngram {}={}", level + 1, nodes.len())?;
        }
        for (level, values) in smoothed.iter().enumerate() {
            writeln!(out, "\n\\{}-grams:", level + 1)?;
            for (place, entry) in values.iter().enumerate() {
                let mut words: Vec<&str> = self.spelled(level, place).collect();
                words.reverse();
                write!(out, "{}\t{}", entry.probability, words.join(" "))?;
                if level + 1 < self.order {
                    write!(out, "\t{}", entry.backoff)?;
                }
                writeln!(out)?;
            }
        }
        writeln!(out, "\n\\end\\")
    }

    /// The words of an n-gram, the last first.
    fn spelled(&self, level: usize, place: usize) -> impl Iterator<Item = &str> {
        let mut at = place;
        (0..=level).rev().map(move |level| {
            let node = self.levels[level][at];
            at = node.prefix as usize;
            self.words[node.word as usize].as_str()
        })
    }

    fn hash(&self, level: usize, place: usize) -> u64 {
        let mut words = self.spelled(level, place).map(word_hash);
        let last = words.next().unwrap_or_default();
        words.fold(last, longer)
    }

    /// Probabilities and back-off weights of all n-grams, in the order of the nodes.
    fn smoothed(&self) -> Vec<Vec<Entry>> {
        let counts = self.adjusted();
        let mut all: Vec<Vec<Entry>> = Vec::with_capacity(self.order);
        let mut shorter: Vec<f64> = Vec::new();
        for level in 0..self.order {
            let nodes = &self.levels[level];
            let counts = &counts[level];
            let discounts = discounts(counts);
            let mut contexts = vec![Context::default(); if level == 0 { 1 } else { shorter.len() }];
            for (node, &count) in nodes.iter().zip(counts).filter(|(_, count)| **count > 0) {
                let context = &mut contexts[node.prefix as usize];
                context.total += count as f64;
                context.kinds[count.min(3) as usize - 1] += 1;
            }
            let weights: Vec<f64> = contexts.iter().map(|context| weight(context, discounts)).collect();
            // Below single words every word is equally likely; `<s>` is never predicted.
            let uniform = 1.0 / (self.levels[0].len() - 1) as f64;
            let probability = |(node, &count): (&Node, &u64)| {
                let prefix = node.prefix as usize;
                let below = if level == 0 { uniform } else { shorter[node.suffix as usize] };
                let total = contexts[prefix].total.max(1.0);
                (count as f64 - discount(count, discounts)) / total + weights[prefix] * below
            };
            let mut probabilities: Vec<f64> = nodes.iter().zip(counts).map(probability).collect();
            if level == 0 {
                probabilities[BEGIN_WORD as usize] = 1.0;
            } else {
                for (entry, weight) in all[level - 1].iter_mut().zip(&weights) {
                    entry.backoff = weight.log10() as f32;
                }
            }
            let entry = |p: &f64| Entry { probability: p.log10().min(0.0) as f32, backoff: 0.0 };
            all.push(probabilities.iter().map(entry).collect());
            shorter = probabilities;
        }
        all
    }

    /// Counts that probabilities are made of: of the longest n-grams and those that begin a sentence how often they
    /// occurred, of all others behind how many words.
    fn adjusted(&self) -> Vec<Vec<u64>> {
        let mut counts: Vec<Vec<u64>> =
            self.levels.iter().map(|nodes| nodes.iter().map(|node| node.count).collect()).collect();
        // Whether an n-gram begins a sentence is what its prefix says.
        let mut begins: Vec<bool> = self.levels[0].iter().map(|node| node.word == BEGIN_WORD).collect();
        for (own, longer) in counts.iter_mut().zip(&self.levels[1..]) {
            own.iter_mut().zip(&begins).filter(|(_, begins)| !**begins).for_each(|(count, _)| *count = 0);
            for node in longer {
                let suffix = node.suffix as usize;
                own[suffix] += u64::from(!begins[suffix]);
            }
            begins = longer.iter().map(|node| begins[node.prefix as usize]).collect();
        }
        for never in [BEGIN_WORD, UNKNOWN_WORD] {
            counts[0][never as usize] = 0;
        }
        counts
    }
}

/// The discounts of counts 1, 2 and 3 or more, out of how many n-grams have the counts 1 to 4.
fn discounts(counts: &[u64]) -> [f64; 3] {
    let mut having = [0u64; 4];
    counts.iter().filter(|count| (1..=4).contains(*count)).for_each(|&count| having[count as usize - 1] += 1);
    let t = having.map(|n| n as f64);
    if having.contains(&0) {
        return FALLBACK;
    }
    let y = t[0] / (t[0] + 2.0 * t[1]);
    let estimated = [1, 2, 3].map(|k| k as f64 - (k + 1) as f64 * y * t[k] / t[k - 1]);
    let possible = estimated.iter().zip(1..).all(|(d, k)| (0.0..=f64::from(k)).contains(d));
    if possible { estimated } else { FALLBACK }
}

fn discount(count: u64, discounts: [f64; 3]) -> f64 {
    if count == 0 { 0.0 } else { discounts[count.min(3) as usize - 1].min(count as f64) }
}

/// What a context hands to the shorter one.
fn weight(context: &Context, discounts: [f64; 3]) -> f64 {
    if context.total == 0.0 {
        return 1.0;
    }
    let discounted: f64 = context.kinds.iter().zip(discounts).map(|(&n, d)| n as f64 * d).sum();
    discounted / context.total
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "the cat sat on the mat\nthe dog sat on the cat\na cat and a dog\nthe mat\n\nthe cat sat\na dog sat on a mat\nthe dog and the cat and the mat";

    fn trained(order: usize) -> (Trainer, NgramModel) {
        let counted = || {
            let mut trainer = Trainer::new(order);
            trainer.text(TEXT);
            trainer
        };
        (counted(), counted().finish())
    }

    #[test]
    fn probabilities_after_any_context_sum_to_one() {
        for order in 2..=5 {
            let (trainer, model) = trained(order);
            let next: Vec<&str> = trainer.words.iter().map(String::as_str).filter(|w| *w != BEGIN).collect();
            for context in ["", "the", "the cat", "on the", "a cat and the", "dog dog dog", "never seen"] {
                let total: f64 = next
                    .iter()
                    .map(|word| {
                        let mut state = super::super::State::default();
                        model.step(&mut state, word_hash(BEGIN));
                        for word in context.split_whitespace() {
                            model.step(&mut state, word_hash(word));
                        }
                        10f64.powf(f64::from(model.step(&mut state, word_hash(word)).0))
                    })
                    .sum();
                assert!((total - 1.0).abs() < 1e-5, "order {order}, after {context:?}: {total}");
            }
        }
    }

    #[test]
    fn a_bigram_model_is_as_computed_by_hand() {
        // Two sentences, `a b` and `a c`. Bigrams: <s>a 2, ab 1, ac 1, b</s> 1, c</s> 1. Too few for estimates: the
        // discounts are 0.5, 1, 1.5. Behind how many words: a 1 (behind <s>), b 1, c 1, </s> 2; in all 5.
        let mut trainer = Trainer::new(2);
        trainer.text("a b\na c");
        let model = trainer.finish();
        // The uniform part: (3 * 0.5 + 1 * 1) / 5 = 0.5 over a, b, c, </s>, <unk>: 0.1 each.
        let unigram = |count: f64, discount: f64| (count - discount) / 5.0 + 0.5 / 5.0;
        let (a, b, end) = (unigram(1.0, 0.5), unigram(1.0, 0.5), unigram(2.0, 1.0));
        // After <s>: (2 - 1) / 2 + (1 / 2) p(a); after a: (1 - 0.5) / 2 + (2 * 0.5 / 2) p(b); after b: 0.5 + 0.5 p(</s>).
        let expected = [0.5 + 0.5 * a, 0.25 + 0.5 * b, 0.5 + 0.5 * end];
        let score = model.sentence(["a", "b"]);
        let wanted: f64 = expected.iter().map(|p| p.log10()).sum();
        assert!((score.log10 - wanted).abs() < 1e-6, "{} {wanted}", score.log10);
        assert_eq!((score.tokens, score.unknown), (3, 0));
        // An unknown word after <s>: (1 / 2) * 0.1, then the end after it: p(</s>).
        let unknown = model.sentence(["zebra"]);
        assert!((unknown.log10 - (0.5f64 * 0.1).log10() - end.log10()).abs() < 1e-6);
        assert_eq!(unknown.unknown, 1);
    }

    #[test]
    fn an_arpa_file_is_the_same_model() {
        let (trainer, model) = trained(4);
        let mut arpa = Vec::new();
        trainer.write_arpa(&mut arpa).unwrap();
        let read = NgramModel::read(&arpa[..]).unwrap();
        assert_eq!((read.order(), read.counts()), (model.order(), model.counts()));
        for text in [TEXT, "the cat flew\n\non a mat mat", ""] {
            assert_eq!(read.text(text), model.text(text));
        }
        let likely = model.text("the cat sat on the mat").perplexity().unwrap();
        let unlikely = model.text("mat the on sat cat the").perplexity().unwrap();
        assert!(likely < 5.0 && unlikely > 2.0 * likely, "{likely} {unlikely}");
        assert_eq!(model.text("").perplexity(), None);
    }

    #[test]
    fn damaged_files_say_where() {
        let said = |text: &str| NgramModel::read(text.as_bytes()).unwrap_err();
        assert!(said("hello").contains("no \\data\\"));
        assert!(said("mmap lm http://kheafield.com/code format version 5\n").contains("binary"));
        assert!(said("\\data\\\nngram 1=99999999999\n\n\\1-grams:\n-1\ta\n").contains("line 6"));
        assert!(said("\\data\\\nngram 2=1\n").contains("1-grams"));
        assert!(said("\\data\\\nngram 1=1\n\\1-grams:\n-1\ta b c\n").contains("line 4"));
        assert!(said("\\data\\\nngram 1=1\n\\1-grams:\nnan\ta\n").contains("line 4"));
        assert!(said("\\data\\\nngram 1=1\n\\1-grams:\n-1\ta\n").contains("\\end\\"));
    }
}
