//! `detect_language`: the language of a document by a fastText classifier, with its probability.

use std::sync::Arc;

use llmp_stdlib::{Column, arg::FilePath};

use super::{Built, Map, Outcome, Step};
use crate::{
    document::Document,
    error::{DataError, Result},
    fasttext::Model,
    readers::Roots,
};

llmp_stdlib::def! {
    /// Adds the language of a document, `.lang`, and how sure that is, `.lang_score` (0 to 1).
    ///
    /// The model is a classifier of fastText. The one inside llmp is `lid.176.ftz` (Joulin et al. 2016; CC BY-SA 3.0), which
    /// knows 176 languages by their ISO 639 codes (`en`, `de`, `zh`, …). It reads the whole text as one line: line breaks count as spaces. The score is rounded
    /// to six decimals. A text in which the model knows nothing has the language `und` and the score 0.
    ///
    /// ```llmp
    /// dataset english = books |> detect_language() |> keep_if(.lang == "en" and .lang_score >= 65%)
    /// ```
    DetectLanguage = "detect_language", rev 1, rows_of [Docs, Chat, Prompt, Answers, Preference], adds [lang: Text, lang_score: Num] {
        /// A model file (`.bin` or `.ftz`) in place of the one inside llmp.
        model: Option<FilePath> = "none",
    }
}

/// See models/README.md for its source and license.
const LID_176: &[u8] = include_bytes!("../../models/lid.176.ftz");

impl Step for DetectLanguage {
    fn build(self, roots: &Roots) -> Result<Built> {
        let model = match &self.model {
            Some(path) => Model::open(&roots.path(&path.0))?,
            None => {
                let what = |e| DataError::Step {
                    step: "detect_language",
                    what: format!("the model inside llmp: {e}"),
                };
                Model::from_bytes(LID_176).map_err(what)?
            }
        };
        Ok(Built::Map(Arc::new(LanguageDetector { model: Arc::new(model) })))
    }
}

/// The step with its model in memory; clones share it.
#[derive(Clone, Debug)]
struct LanguageDetector {
    /// The classifier; its labels are the languages.
    model: Arc<Model>,
}

impl LanguageDetector {
    /// Language and score of a text.
    fn detect(&self, text: &str) -> (&str, f64) {
        match self.model.predict(text, 1).first() {
            Some(best) => (best.label, (f64::from(best.probability) * 1e6).round() / 1e6),
            None => ("und", 0.0),
        }
    }
}

impl Map for LanguageDetector {
    fn name(&self) -> &'static str {
        "detect_language"
    }

    fn adds(&self) -> Vec<(&'static str, Column)> {
        vec![("lang", Column::Text), ("lang_score", Column::Num)]
    }

    fn apply(&self, doc: &mut Document) -> Outcome {
        let (language, score) = self.detect(&doc.text);
        let language = language.to_string();
        doc.columns.insert("lang".into(), language.into());
        doc.columns.insert("lang_score".into(), score.into());
        Outcome::Keep
    }
}
