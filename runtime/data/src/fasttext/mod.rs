//! Text classifiers of fastText, read natively: `.bin` and `.ftz` files of supervised models.
//!
//! Format and arithmetic are those of fastText 0.9.2 (Joulin et al. 2016, arXiv:1607.01759; arXiv:1612.03651 for the
//! quantised form): words, character n-grams and word n-grams are hashed to rows of an input matrix, the mean of
//! those rows is the hidden vector, and the loss turns it into labels. A probability is at most 1 here; fastText adds
//! 0.00001 at every decision and so reports up to about 1.0001.

mod bytes;
mod dictionary;
mod loss;
mod matrix;
mod train;
mod write;

use std::path::Path;

use self::{
    bytes::{Bytes, Read},
    dictionary::{Args, Dictionary},
    loss::Loss,
    matrix::Matrix,
};
use crate::error::{DataError, Result};

pub use train::{Example, Settings, train};

/// The first four bytes of every model file.
const MAGIC: i32 = 793_712_314;

/// A trained classifier. It is read-only: one instance serves all threads.
#[derive(Debug)]
pub struct Model {
    dictionary: Dictionary,
    input: Matrix,
    output: Matrix,
    loss: Loss,
}

/// One label with its probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction<'a> {
    /// The label without `__label__`.
    pub label: &'a str,
    /// From 0 to 1.
    pub probability: f32,
}

impl Model {
    /// Reads a model file.
    ///
    /// Errors: the file cannot be read; it is cut off, contradicts itself, or is not a supervised fastText model.
    pub fn open(path: &Path) -> Result<Model> {
        let bytes = std::fs::read(path).map_err(|e| DataError::io("read", path, e))?;
        Model::from_bytes(&bytes).map_err(|what| DataError::artifact(path, what))
    }

    /// Reads a model from memory. Memory taken is in proportion to the number of bytes.
    ///
    /// Errors: what is wrong with the bytes, in words.
    pub fn from_bytes(bytes: &[u8]) -> Result<Model, String> {
        let bytes = &mut Bytes::new(bytes);
        if bytes.i32("the magic number")? != MAGIC {
            return Err("is not a fastText model: the first four bytes differ".into());
        }
        let version = bytes.i32("the version")?;
        if version != 11 && version != 12 {
            return Err(format!("has format version {version}; known are 11 and 12"));
        }
        let args = Args::read(bytes, version)?;
        let dictionary = Dictionary::read(bytes, args)?;
        let quantised = bytes.bool("the quantisation flag")?;
        if dictionary.is_pruned() && !quantised {
            return Err("has a pruned dictionary without a quantised matrix".into());
        }
        let input = Matrix::read(bytes, quantised, "the input matrix")?;
        let quantised_output = bytes.bool("the output's quantisation flag")? && quantised;
        let output = Matrix::read(bytes, quantised_output, "the output matrix")?;
        check(&dictionary, &input, &output)?;
        if bytes.left() > 0 {
            return Err(format!("has {} bytes after its end", bytes.left()));
        }
        let loss = Loss::new(dictionary.loss(), &dictionary.counts)?;
        Ok(Model { dictionary, input, output, loss })
    }

    /// The labels, the most frequent in training first.
    pub fn labels(&self) -> &[String] {
        &self.dictionary.labels
    }

    /// The `k` most probable labels of one line of text, best first. A line break counts as a space.
    ///
    /// Empty when nothing in the text is known to the model.
    pub fn predict(&self, text: &str, k: usize) -> Vec<Prediction<'_>> {
        let mut hidden = vec![0.0; self.dictionary.dim()];
        let mut rows = 0usize;
        self.dictionary.rows_of(text.as_bytes(), |row| {
            self.input.add_row(row, &mut hidden);
            rows += 1;
        });
        if rows == 0 || k == 0 {
            return Vec::new();
        }
        let scale = 1.0 / rows as f32;
        hidden.iter_mut().for_each(|x| *x *= scale);
        let best = self.loss.best(&self.output, &hidden, k);
        best.into_iter()
            .map(|(label, probability)| Prediction { label: &self.dictionary.labels[label], probability })
            .collect()
    }
}

/// Whether every row that can be asked for exists.
fn check(dictionary: &Dictionary, input: &Matrix, output: &Matrix) -> Read<()> {
    let (dim, labels) = (dictionary.dim(), dictionary.labels.len());
    if input.width != dim || output.width != dim {
        return Err(format!(
            "has dimension {dim}, but matrices of width {} and {}",
            input.width, output.width
        ));
    }
    if input.rows < dictionary.rows() {
        return Err(format!("needs {} rows of input, has {}", dictionary.rows(), input.rows));
    }
    if output.rows != labels {
        return Err(format!("has {labels} labels, but {} rows of output", output.rows));
    }
    Ok(())
}
