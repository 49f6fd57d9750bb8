//! `drop_profanity`: drops profane and unsafe documents.

use std::sync::Arc;

use llmp_stdlib::{Problem, arg::FilePath};

use super::{
    Built, Map, Outcome, Reason, Side, Step,
    arguments::share,
    text::visible,
    word_list::{WordList, Wordlists},
    words::words,
};
use crate::{
    document::Document,
    error::{DataError, Result},
    fasttext::Model,
    readers::Roots,
};

llmp_stdlib::def! {
    /// Drops profane and unsafe documents by a list of words and a classifier.
    ///
    /// AFM runs such a filter before and after extraction (arXiv:2407.21075, section 3.1.1: heuristics and model-based
    /// classifiers; thresholds are not published). Of a web page the text of its body counts. The list is that of the language
    /// in `.lang`, English where there is no such column. Reasons: `profanity`, `unsafe`.
    ///
    /// ```llmp
    /// dataset clean = crawl |> drop_profanity() |> extract_text()
    /// ```
    DropProfanity = "drop_profanity", rev 1, rows_of [Html, Docs, Chat], check profanity {
        /// The list of words: `ldnoobw`, or a file with one word or phrase a line.
        list: WordList = "ldnoobw",
        /// Largest share of the words that are on the list.
        max_share: f64 = "1%",
        /// A fastText model whose label `unsafe` drops at `threshold`; `none`: the list alone.
        model: Option<FilePath> = "none",
        /// Score from which a document is unsafe.
        threshold: f64 = "0.5",
    }
}

fn profanity(it: &DropProfanity) -> Vec<Problem> {
    let shares = [share("max_share", it.max_share), share("threshold", it.threshold), it.list.quoted("list")];
    shares.into_iter().flatten().collect()
}

/// The label that drops.
const UNSAFE: &str = "unsafe";

impl Step for DropProfanity {
    fn build(self, roots: &Roots) -> Result<Built> {
        let lists = Wordlists::build("drop_profanity", &self.list, roots)?;
        let model = self.model.as_ref().map(|path| Model::open(&roots.path(&path.0))).transpose()?;
        if let Some(model) = &model
            && !model.labels().iter().any(|label| label == UNSAFE)
        {
            let what =
                format!("the model has no label `{UNSAFE}`; its labels: {}", model.labels().join(", "));
            return Err(DataError::Step { step: "drop_profanity", what });
        }
        let (max_share, threshold) = (self.max_share, self.threshold);
        Ok(Built::Map(Arc::new(Judge { max_share, threshold, lists, model })))
    }
}

/// The step with its lists and model.
#[derive(Debug)]
struct Judge {
    max_share: f64,
    threshold: f64,
    lists: Wordlists,
    model: Option<Model>,
}

impl Map for Judge {
    fn name(&self) -> &'static str {
        "drop_profanity"
    }

    fn apply(&self, doc: &mut Document) -> Outcome {
        let text = visible(doc);
        let found = self.lists.of(doc).map_or(0, |list| list.count(&text));
        let all = words(&text).count() as f64;
        if found > 0 && found as f64 > self.max_share * all {
            let of = "share of words on the list";
            return Outcome::Drop(Reason::above("profanity", of, found as f64 / all, self.max_share));
        }
        if let Some(model) = &self.model {
            let labels = model.predict(&text, model.labels().len());
            let score = labels.iter().find(|p| p.label == UNSAFE).map_or(0.0, |p| f64::from(p.probability));
            if score >= self.threshold {
                let is = Side::AtLeast;
                return Outcome::Drop(Reason::score(UNSAFE, "score of the model", score, is, self.threshold));
            }
        }
        Outcome::Keep
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        document::RawPage,
        steps::testing::{args, map, reason},
    };

    #[test]
    fn the_share_of_profane_words_decides() {
        let text = format!("shit happens {}", "word ".repeat(98));
        assert_eq!(reason("drop_profanity", &[], &text), "");
        assert_eq!(reason("drop_profanity", &[("max_share", "0.5%")], &text), "profanity");
        assert_eq!(reason("drop_profanity", &[], "shit happens"), "profanity");
    }

    #[test]
    fn the_words_of_a_page_are_those_of_its_body() {
        let judge = |html: &str| {
            let mut doc = Document::new("a", "");
            doc.raw = Some(RawPage { bytes: html.into(), content_type: None });
            map("drop_profanity", &[]).apply(&mut doc)
        };
        assert_eq!(judge("<p class='shit'>nice day</p><script>shit</script>"), Outcome::Keep);
        assert!(matches!(judge("<p>shit day</p>"), Outcome::Drop(reason) if reason == "profanity"));
    }

    #[test]
    fn a_model_without_the_label_is_refused() {
        let model = concat!(env!("CARGO_MANIFEST_DIR"), "/models/lid.176.ftz");
        let args = args("drop_profanity", &[("model", &format!("{model:?}"))]);
        let error = super::super::build("drop_profanity", &args, &Roots::project("/")).unwrap_err();
        assert!(error.to_string().contains("no label `unsafe`"), "{error}");
    }
}
