//! `gopher_quality`: document length, word length, symbols, bullets, ellipses, letters and stop words.

use std::sync::Arc;

use llmp_stdlib::Problem;

use super::{Built, Map, Outcome, Reason, Step, tokens::Splitter, words::lines};
use crate::{document::Document, error::Result, readers::Roots};

llmp_stdlib::def! {
    /// Keeps documents that pass the quality rules of Gopher (Rae et al. 2021, arXiv:2112.11446, appendix A.1.1).
    ///
    /// The first rule that a document breaks is the reason of its drop; rules, order and names of reasons are those
    /// of datatrove's `GopherQualityFilter`. The thresholds and stop words are those of the paper, made for English.
    ///
    /// | Reason | Drops when |
    /// |---|---|
    /// | `gopher_short_doc` | fewer than `min_doc_words` words |
    /// | `gopher_long_doc` | more than `max_doc_words` words |
    /// | `gopher_below_avg_threshold` | the mean word is shorter than `min_avg_word_length` |
    /// | `gopher_above_avg_threshold` | the mean word is longer than `max_avg_word_length` |
    /// | `gopher_too_many_hashes` | more than `max_symbol_word_ratio` `#` for each word |
    /// | `gopher_too_many_ellipsis` | more than `max_symbol_word_ratio` ellipses for each word |
    /// | `gopher_too_many_bullets` | too many lines begin with `•` or `-` |
    /// | `gopher_too_many_end_ellipsis` | too many lines end with an ellipsis |
    /// | `gopher_below_alpha_threshold` | too few words have a letter |
    /// | `gopher_enough_stop_words` | fewer than `min_stop_words` different stop words |
    ///
    /// Differences from datatrove:
    ///
    /// * Words lie between whitespace, as in the paper, in every language; datatrove cuts with a tokenizer for the
    ///   language, which makes words of punctuation marks and of `n't`, so that text with much dialogue falls below
    ///   `min_alpha_words_ratio`. `words = tokens` cuts like it, by its rules for English.
    /// * A rule is off when its argument is `none`; 0 is a threshold like any other (in datatrove it means off).
    /// * `min_alpha_words_ratio` is what datatrove calls `max_non_alpha_words_ratio`, although it is a least share of
    ///   words with a letter.
    /// * Words of punctuation alone do not count for number and mean length.
    /// * Letters are what Unicode calls alphabetic, which includes vowel signs and Roman numerals; whitespace is what
    ///   Unicode calls so, which excludes U+001C to U+001F.
    /// * A text without words has the mean length 0 and shares of 0, where datatrove divides by zero.
    ///
    /// ```llmp
    /// dataset clean = books |> gopher_quality(min_doc_words = 100, min_stop_words = none)
    /// ```
    GopherQuality = "gopher_quality", rev 2, rows Docs -> Docs, check ordered {
        /// Fewest words, without those of punctuation alone.
        min_doc_words: Option<u64> = "50",
        /// Most words, without those of punctuation alone.
        max_doc_words: Option<u64> = "100_000",
        /// Shortest mean word, in characters.
        min_avg_word_length: Option<f64> = "3",
        /// Longest mean word, in characters.
        max_avg_word_length: Option<f64> = "10",
        /// Most `#` for each word, and most ellipses (`...` or `…`) for each word.
        max_symbol_word_ratio: Option<f64> = "0.1",
        /// Largest share of lines that begin with a bullet.
        max_bullet_lines_ratio: Option<f64> = "90%",
        /// Largest share of lines that end with an ellipsis.
        max_ellipsis_lines_ratio: Option<f64> = "30%",
        /// Smallest share of words with at least one letter.
        min_alpha_words_ratio: Option<f64> = "80%",
        /// Fewest different stop words.
        min_stop_words: Option<u64> = "2",
        /// The stop words, as they are spelt in the text.
        stop_words: Vec<String> = "[\"the\", \"be\", \"to\", \"of\", \"and\", \"that\", \"have\", \"with\"]",
        /// What counts as a word.
        words: Splitter = "whitespace",
    }
}

/// A least value above its greatest keeps nothing.
fn ordered(it: &GopherQuality) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut check = |least: Option<f64>, most: Option<f64>, name: &str, other: &str| {
        if let (Some(least), Some(most)) = (least, most)
            && least > most
        {
            let words = format!("`{name}` is {least}, above `{other}`, {most}: no document passes");
            problems.push(Problem::error("LLMP0209", name, words));
        }
    };
    let float = |n: Option<u64>| n.map(|n| n as f64);
    check(float(it.min_doc_words), float(it.max_doc_words), "min_doc_words", "max_doc_words");
    check(it.min_avg_word_length, it.max_avg_word_length, "min_avg_word_length", "max_avg_word_length");
    problems
}

impl Step for GopherQuality {
    fn build(self, _roots: &Roots) -> Result<Built> {
        Ok(Built::Map(Arc::new(self)))
    }
}

impl Map for GopherQuality {
    fn name(&self) -> &'static str {
        "gopher_quality"
    }

    fn apply(&self, doc: &mut Document) -> Outcome {
        match self.fault(&doc.text) {
            Some(reason) => Outcome::Drop(reason),
            None => Outcome::Keep,
        }
    }
}

impl GopherQuality {
    /// The first rule that a text breaks, with the number that broke it.
    pub fn fault(&self, text: &str) -> Option<Reason> {
        let seen = self.look(text);
        self.fault_of_words(text, &seen)
            .or_else(|| self.fault_of_lines(text))
            .or_else(|| self.fault_of_letters(&seen))
    }

    /// Number and length of words, symbols for each word.
    fn fault_of_words(&self, text: &str, seen: &Seen) -> Option<Reason> {
        let &Seen { all, plain, length, .. } = seen;
        let mean = share(length, plain);
        let float = |limit: Option<u64>| limit.map(|n| n as f64);
        let too_many = |name, of, symbols| above(name, of, share(symbols, all), self.max_symbol_word_ratio);
        below("gopher_short_doc", "words", plain as f64, float(self.min_doc_words))
            .or_else(|| above("gopher_long_doc", "words", plain as f64, float(self.max_doc_words)))
            .or_else(|| {
                below("gopher_below_avg_threshold", "mean word length", mean, self.min_avg_word_length)
            })
            .or_else(|| {
                above("gopher_above_avg_threshold", "mean word length", mean, self.max_avg_word_length)
            })
            .or_else(|| {
                let hashes = text.bytes().filter(|&b| b == b'#').count();
                too_many("gopher_too_many_hashes", "hashes for each word", hashes)
            })
            .or_else(|| too_many("gopher_too_many_ellipsis", "ellipses for each word", ellipses(text)))
    }

    /// Bullets and ellipses at the ends of lines.
    fn fault_of_lines(&self, text: &str) -> Option<Reason> {
        let (mut all, mut bullets, mut open) = (0, 0, 0);
        for line in lines(text) {
            all += 1;
            bullets += usize::from(line.trim_start().starts_with(['•', '-']));
            let end = line.trim_end();
            open += usize::from(end.ends_with("...") || end.ends_with('…'));
        }
        let (bullets, open) = (share(bullets, all), share(open, all));
        let of = "share of lines with a bullet";
        above("gopher_too_many_bullets", of, bullets, self.max_bullet_lines_ratio).or_else(|| {
            let of = "share of lines with an ellipsis at the end";
            above("gopher_too_many_end_ellipsis", of, open, self.max_ellipsis_lines_ratio)
        })
    }

    /// Words with letters, stop words.
    fn fault_of_letters(&self, seen: &Seen) -> Option<Reason> {
        let (lettered, least) = (share(seen.lettered, seen.all), self.min_alpha_words_ratio);
        below("gopher_below_alpha_threshold", "share of words with a letter", lettered, least).or_else(|| {
            let (found, least) = (seen.stop_words as f64, self.min_stop_words.map(|n| n as f64));
            below("gopher_enough_stop_words", "different stop words", found, least)
        })
    }

    /// What the rules ask of the words, in one pass.
    fn look(&self, text: &str) -> Seen {
        let mut seen = Seen::default();
        let mut left: Vec<&str> = self.stop_words.iter().map(String::as_str).collect();
        left.sort_unstable();
        left.dedup();
        let all = left.len();
        let longest = left.iter().map(|stop| stop.len()).max().unwrap_or(0);
        self.words.each(text, |word| {
            seen.all += 1;
            if !word.is_symbol() {
                seen.plain += 1;
                seen.length += word.chars;
            }
            seen.lettered += usize::from(word.has_letter());
            // One of the stop words is found at most once; most texts soon have them all.
            if word.text.len() <= longest
                && let Some(at) = left.iter().position(|stop| *stop == word.text)
            {
                left.swap_remove(at);
            }
        });
        seen.stop_words = (all - left.len()) as u64;
        seen
    }
}

/// What the rules ask of the words of a text.
#[derive(Default)]
struct Seen {
    /// Words, and those that are not punctuation alone.
    all: u64,
    plain: u64,
    /// Characters of the latter.
    length: usize,
    /// Words with a letter.
    lettered: usize,
    /// Different stop words.
    stop_words: u64,
}

/// Ellipses of either spelling; of more than three full stops each three are one.
fn ellipses(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut found, mut at) = (0, 0);
    while at + 2 < bytes.len() {
        // The third byte decides how far the search may go on.
        match bytes[at + 2] {
            b'.' if bytes[at] == b'.' && bytes[at + 1] == b'.' => {
                found += 1;
                at += 3;
            }
            0xa6 if bytes[at] == 0xe2 && bytes[at + 1] == 0x80 => {
                found += 1;
                at += 3;
            }
            b'.' | 0xe2 | 0x80 => at += 1,
            _ => at += 3,
        }
    }
    found
}

/// The reason where a value lies below its limit.
fn below(name: &'static str, of: &'static str, value: f64, limit: Option<f64>) -> Option<Reason> {
    limit.filter(|least| value < *least).map(|least| Reason::below(name, of, value, least))
}

/// The reason where a value lies above its limit.
fn above(name: &'static str, of: &'static str, value: f64, limit: Option<f64>) -> Option<Reason> {
    limit.filter(|most| value > *most).map(|most| Reason::above(name, of, value, most))
}

/// A part of a whole; 0 of nothing.
fn share(part: usize, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ellipses_are_counted_without_overlap() {
        for text in
            ["", "..", "...", "....", "......", "a…b", "..…", ".…..", "x...…y.. .", "€…...", "\u{2080}..."]
        {
            let expected = text.matches("...").count() + text.matches('…').count();
            assert_eq!(ellipses(text), expected, "{text}");
        }
    }
}
