//! `score_perplexity`: how likely a text is under an n-gram model of good text.

use std::path::Path;
use std::sync::Arc;

use llmp_stdlib::arg::{DocsRef, FilePath};
use llmp_stdlib::{Column, Problem};

use super::{Built, Map, Outcome, Step, located};
use crate::{
    document::Document,
    engine,
    error::Result,
    ngram::{LONGEST, NgramModel, Trainer, normalized},
    readers::Roots,
};

llmp_stdlib::def! {
    /// Adds the perplexity of a document under a model of word n-grams, `.perplexity`: low for text like that which the model was
    /// made of, high for other languages, tables and noise. ccNet cuts by its terciles in each language (Wenzek et al. 2020, section 3.3).
    ///
    /// The model is an ARPA file (KenLM's `lmplz`, SRILM; `.gz` and `.zst` as well), or is trained on documents of the program when
    /// the step begins: interpolated modified Kneser-Ney, as `lmplz` does, all n-grams kept, in memory. Each line of a document is a sentence, words lie between
    /// whitespace; the perplexity is `10^(-sum of log10 p / (words + lines))`. It is rounded to three decimals. A text without words gets no column.
    ///
    /// ```llmp
    /// dataset fluent = web |> score_perplexity(train_on = books, order = 3) |> keep_if(.perplexity < 1000)
    /// ```
    ScorePerplexity = "score_perplexity", rev 1, rows Docs -> Docs, adds [perplexity: Num], check one_model {
        /// The model: an ARPA file.
        model: Option<FilePath> = "none",
        /// Documents that a model is trained on, in place of a file.
        train_on: Option<DocsRef> = "none",
        /// Longest n-grams of a model that is trained.
        order: u64 = "5",
        /// Prepares text as ccNet does, for the model and for the score: lower case, no accents, each digit as 0, punctuation marks as words.
        normalize: bool = "false",
    }
}

fn one_model(it: &ScorePerplexity) -> Vec<Problem> {
    let mut problems = match (&it.model, &it.train_on) {
        (Some(_), Some(_)) => vec![Problem::error(
            "LLMP0602",
            "train_on",
            "score_perplexity: `model` and `train_on` exclude each other",
        )],
        (None, None) => vec![Problem::error("LLMP0601", "", "score_perplexity needs `model` or `train_on`")],
        _ => Vec::new(),
    };
    if !(2..=LONGEST as u64).contains(&it.order) {
        let message = format!("`order` is {}, must be 2 to {LONGEST}", it.order);
        problems.push(Problem::error("LLMP0209", "order", message));
    }
    problems
}

impl Step for ScorePerplexity {
    fn build(self, roots: &Roots) -> Result<Built> {
        let model = match (&self.model, &self.train_on) {
            (_, Some(documents)) => {
                let folder = located("score_perplexity", &documents.0, roots)?;
                trained(folder, self.order as usize, self.normalize)?
            }
            (Some(path), None) => NgramModel::open(&roots.path(&path.0))?,
            (None, None) => Trainer::new(self.order as usize).finish(),
        };
        Ok(Built::Map(Arc::new(Perplexity { model, normalize: self.normalize })))
    }
}

/// A model of the documents in a folder.
fn trained(folder: &Path, order: usize, normalize: bool) -> Result<NgramModel> {
    let mut trainer = Trainer::new(order);
    for doc in engine::documents(folder)? {
        let text = doc?.text;
        if normalize { trainer.text(&normalized(&text)) } else { trainer.text(&text) }
    }
    Ok(trainer.finish())
}

#[derive(Debug)]
struct Perplexity {
    model: NgramModel,
    normalize: bool,
}

impl Map for Perplexity {
    fn name(&self) -> &'static str {
        "score_perplexity"
    }

    fn adds(&self) -> Vec<(&'static str, Column)> {
        vec![("perplexity", Column::Num)]
    }

    fn apply(&self, doc: &mut Document) -> Outcome {
        let score =
            if self.normalize { self.model.text(&normalized(&doc.text)) } else { self.model.text(&doc.text) };
        if let Some(perplexity) = score.perplexity() {
            doc.columns.insert("perplexity".into(), ((perplexity * 1e3).round() / 1e3).into());
        }
        Outcome::Keep
    }
}
