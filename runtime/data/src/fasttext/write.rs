//! A trained model as a `.bin` file that fastText reads.

use std::io::{self, Write};

use super::dictionary::LABEL;
use super::matrix::Matrix;
use super::{MAGIC, Model};

/// Format version 12: character n-grams in classifiers.
const VERSION: i32 = 12;
const SOFTMAX: i32 = 3;
const SUPERVISED: i32 = 3;

impl Model {
    /// Writes the model as fastText 0.9.2 does. Counts of words, which nothing is predicted with, are written as 1.
    ///
    /// Errors: those of `out`; a quantised model is refused.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        if self.input.numbers().is_empty() || self.output.numbers().is_empty() {
            return Err(io::Error::other("only a model that was trained here is written"));
        }
        let args = self.dictionary.args();
        let int = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
        let (unused, epochs) = (0, 0);
        let header = [
            MAGIC,
            VERSION,
            int(args.dim),
            unused, // window
            epochs,
            1,      // least count
            unused, // negatives
            int(args.word_ngrams),
            SOFTMAX,
            SUPERVISED,
            args.bucket.cast_signed(),
            int(args.min_chars),
            int(args.max_chars),
            100, // rate of updates
        ];
        header.iter().try_for_each(|n| out.write_all(&n.to_le_bytes()))?;
        out.write_all(&1e-4f64.to_le_bytes())?;
        let words = self.dictionary.words();
        let labels = self.labels();
        let sizes = [words.len() + labels.len(), words.len(), labels.len()];
        sizes.iter().try_for_each(|n| out.write_all(&int(*n).to_le_bytes()))?;
        let tokens: i64 = self.dictionary.counts.iter().sum::<i64>() + sizes[1] as i64;
        out.write_all(&tokens.to_le_bytes())?;
        out.write_all(&(-1i64).to_le_bytes())?;
        for word in words {
            entry(out, word, 1, 0)?;
        }
        for (label, count) in labels.iter().zip(&self.dictionary.counts) {
            entry(out, &[LABEL, label.as_bytes()].concat(), *count, 1)?;
        }
        for matrix in [&self.input, &self.output] {
            out.write_all(&[0])?;
            dense(out, matrix)?;
        }
        Ok(())
    }
}

fn entry(out: &mut impl Write, word: &[u8], count: i64, kind: u8) -> io::Result<()> {
    out.write_all(word)?;
    out.write_all(&[0])?;
    out.write_all(&count.to_le_bytes())?;
    out.write_all(&[kind])
}

fn dense(out: &mut impl Write, matrix: &Matrix) -> io::Result<()> {
    out.write_all(&(matrix.rows as i64).to_le_bytes())?;
    out.write_all(&(matrix.width as i64).to_le_bytes())?;
    let mut bytes = Vec::with_capacity(1 << 16);
    for numbers in matrix.numbers().chunks(1 << 14) {
        bytes.clear();
        bytes.extend(numbers.iter().flat_map(|x| x.to_le_bytes()));
        out.write_all(&bytes)?;
    }
    Ok(())
}
