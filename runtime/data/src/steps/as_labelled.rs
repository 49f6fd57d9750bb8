//! `as_labelled`: texts with labels for a classifier.

use std::sync::Arc;

use llmp_stdlib::Record;

use super::{Built, Map, Outcome, Step, arguments::named, turns};
use crate::{
    document::{Cell, Document},
    error::Result,
    readers::Roots,
};

llmp_stdlib::def! {
    /// Makes texts with labels for a classifier out of two columns.
    ///
    /// FineWeb-Edu: a large model judges a sample, a small classifier learns the labels, the classifier scores the crawl. Numbers
    /// and truth values become text. Reason: `no .column`.
    ///
    /// ```llmp
    /// dataset labels = sampled |> as_labelled(label = "judgement")
    /// ```
    AsLabelled = "as_labelled", rev 1, rows Docs -> Labelled, reads labels {
        /// The column of the text.
        text: String = "\"text\"",
        /// The column of the label.
        label: String,
    }
}

fn labels(args: &Record) -> Vec<String> {
    named(args, &["text", "label"])
}

impl Step for AsLabelled {
    fn build(self, _roots: &Roots) -> Result<Built> {
        Ok(Built::Map(Arc::new(self)))
    }
}

impl Map for AsLabelled {
    fn name(&self) -> &'static str {
        "as_labelled"
    }

    fn needs(&self) -> Vec<String> {
        vec![self.text.clone(), self.label.clone()]
    }

    fn apply(&self, doc: &mut Document) -> Outcome {
        let Some(label) = turns::text(doc, &self.label).map(|label| label.into_owned()) else {
            return turns::missing(&self.label);
        };
        if self.text != "text" {
            let Some(text) = turns::text(doc, &self.text).map(|text| text.into_owned()) else {
                return turns::missing(&self.text);
            };
            doc.text = text;
            turns::used(doc, &[&self.text]);
        }
        turns::used(doc, &[&self.label]);
        doc.columns.insert("label".into(), Cell::Text(label));
        Outcome::Keep
    }
}
