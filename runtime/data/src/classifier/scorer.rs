//! A classifier at work: one score for a document.

use std::path::Path;

use super::{MEANING, MODEL, Meaning, content, number};
use crate::{
    document::Document,
    error::{DataError, Result},
    fasttext::Model,
};

/// A classifier in memory. It is read-only: one instance serves all threads.
#[derive(Debug)]
pub struct Scorer {
    model: Model,
    meaning: Meaning,
}

impl Scorer {
    /// Opens the folder of a classifier.
    ///
    /// Errors: it is none, or is damaged.
    pub fn open(folder: &Path) -> Result<Scorer> {
        let path = folder.join(MEANING);
        let bytes = std::fs::read(&path).map_err(|e| DataError::io("read", &path, e))?;
        let meaning = serde_json::from_slice(&bytes).map_err(|e| DataError::artifact(&path, e))?;
        Ok(Scorer { model: Model::open(&folder.join(MODEL))?, meaning })
    }

    /// The score of a document, rounded to six decimals; `None` where the model knows nothing in it.
    pub fn score(&self, doc: &Document) -> Option<f64> {
        let raw = match self.meaning.columns.as_slice() {
            [only] if only == "text" => score(&self.model, &self.meaning, &doc.text),
            columns => score(&self.model, &self.meaning, &content(doc, columns)),
        };
        raw.map(|score| (score * 1e6).round() / 1e6)
    }
}

/// The probability of the positive label, or the mean of the labels that are numbers.
pub(super) fn score(model: &Model, meaning: &Meaning, text: &str) -> Option<f64> {
    let all = model.predict(text, model.labels().len());
    if all.is_empty() {
        return None;
    }
    if let Some(positive) = &meaning.positive {
        let found = all.iter().find(|prediction| prediction.label == positive);
        return Some(found.map_or(0.0, |prediction| f64::from(prediction.probability)));
    }
    let (mut sum, mut weight) = (0.0, 0.0);
    for prediction in &all {
        let probability = f64::from(prediction.probability);
        sum += probability * number(prediction.label).unwrap_or(0.0);
        weight += probability;
    }
    (weight > 0.0).then(|| sum / weight)
}
