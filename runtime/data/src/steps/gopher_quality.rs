//! `gopher_quality`: document length, word length, symbols, bullets, ellipses, letters and stop words.

use std::sync::Arc;

use llmp_stdlib::Problem;

use super::{
    Built, Map, Outcome, Step,
    words::{chars, is_symbol, lines},
};
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
    ///   language, which makes words of punctuation marks and of `n't`.
    /// * A rule is off when its argument is `none`; 0 is a threshold like any other (in datatrove it means off).
    /// * `min_alpha_words_ratio` is what datatrove calls `max_non_alpha_words_ratio`, although it is a least share of
    ///   words with a letter.
    /// * Words of punctuation alone do not count for number and mean length; punctuation that only datatrove's table
    ///   of sentence ends holds (such as the Devanagari danda) counts as a word here.
    /// * Letters are what Unicode calls alphabetic, which includes vowel signs and Roman numerals; whitespace is what
    ///   Unicode calls so, which excludes U+001C to U+001F.
    /// * A text without words has the mean length 0 and shares of 0, where datatrove divides by zero.
    ///
    /// ```llmp
    /// dataset clean = books |> gopher_quality(min_doc_words = 100, min_stop_words = none)
    /// ```
    GopherQuality = "gopher_quality", rev 1, rows Docs -> Docs, check ordered {
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
            Some(reason) => Outcome::Drop(reason.into()),
            None => Outcome::Keep,
        }
    }
}

impl GopherQuality {
    /// The first rule that a text breaks.
    pub fn fault(&self, text: &str) -> Option<&'static str> {
        self.fault_of_words(text)
            .or_else(|| self.fault_of_lines(text))
            .or_else(|| self.fault_of_letters(text))
    }

    /// Number and length of words, symbols for each word.
    fn fault_of_words(&self, text: &str) -> Option<&'static str> {
        let (mut all, mut plain, mut length) = (0, 0, 0);
        for word in text.split_whitespace() {
            all += 1;
            if word.bytes().any(|b| b.is_ascii_alphanumeric()) || !is_symbol(word) {
                plain += 1;
                length += chars(word);
            }
        }
        let mean = share(length, plain);
        if self.min_doc_words.is_some_and(|least| plain < least) {
            return Some("gopher_short_doc");
        }
        if self.max_doc_words.is_some_and(|most| plain > most) {
            return Some("gopher_long_doc");
        }
        if self.min_avg_word_length.is_some_and(|least| mean < least) {
            return Some("gopher_below_avg_threshold");
        }
        if self.max_avg_word_length.is_some_and(|most| mean > most) {
            return Some("gopher_above_avg_threshold");
        }
        let ellipses = text.matches("...").count() + text.matches('…').count();
        let too_many =
            |symbols: usize| self.max_symbol_word_ratio.is_some_and(|most| share(symbols, all) > most);
        if too_many(text.matches('#').count()) {
            return Some("gopher_too_many_hashes");
        }
        too_many(ellipses).then_some("gopher_too_many_ellipsis")
    }

    /// Bullets and ellipses at the ends of lines.
    fn fault_of_lines(&self, text: &str) -> Option<&'static str> {
        let lines = lines(text);
        let bullets = || lines.iter().filter(|line| line.trim_start().starts_with(['•', '-'])).count();
        let open = || {
            lines
                .iter()
                .map(|line| line.trim_end())
                .filter(|l| l.ends_with("...") || l.ends_with('…'))
                .count()
        };
        if self.max_bullet_lines_ratio.is_some_and(|most| share(bullets(), lines.len() as u64) > most) {
            return Some("gopher_too_many_bullets");
        }
        let too_open =
            self.max_ellipsis_lines_ratio.is_some_and(|most| share(open(), lines.len() as u64) > most);
        too_open.then_some("gopher_too_many_end_ellipsis")
    }

    /// Words with letters, stop words.
    fn fault_of_letters(&self, text: &str) -> Option<&'static str> {
        let (mut all, mut lettered) = (0, 0);
        let mut found = vec![false; self.stop_words.len()];
        for word in text.split_whitespace() {
            all += 1;
            lettered += usize::from(word.chars().any(char::is_alphabetic));
            if let Some(at) = self.stop_words.iter().position(|stop| stop == word) {
                found[at] = true;
            }
        }
        if self.min_alpha_words_ratio.is_some_and(|least| share(lettered, all) < least) {
            return Some("gopher_below_alpha_threshold");
        }
        let found = found.into_iter().filter(|&found| found).count() as u64;
        self.min_stop_words.is_some_and(|least| found < least).then_some("gopher_enough_stop_words")
    }
}

/// A part of a whole; 0 of nothing.
fn share(part: usize, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
