//! `classify`: the score of a classifier as a column of its name.

use std::sync::Arc;

use llmp_stdlib::arg::ClassifierRef;
use llmp_stdlib::{Column, Record, Value};

use super::{Built, Map, Outcome, Step, located};
use crate::{classifier::Scorer, document::Document, error::Result, readers::Roots};

llmp_stdlib::def! {
    /// Adds the score of a classifier, 0 to 1 (for labels that are numbers: that number), as a column called after it.
    ///
    /// The score is rounded to six decimals; a text in which the classifier knows nothing gets no column.
    ///
    /// ```llmp
    /// dataset good = web |> classify(educational) |> keep_if(.educational >= 0.5)
    /// ```
    Classify = "classify", rev 1, rows_of [Docs, Chat, Prompt, Answers], gains score {
        /// The classifier.
        classifier: ClassifierRef,
        /// Another name of the column.
        r#as: Option<String> = "none",
    }
}

fn score(args: &Record) -> Vec<(String, Column)> {
    let name = match (args.get("as"), args.get("classifier")) {
        (Some(Value::Text(name)), _) => Some(name.clone()),
        (_, Some(Value::Item(item))) => Some(plain(&item.item).to_owned()),
        _ => None,
    };
    name.into_iter().map(|name| (name, Column::Num)).collect()
}

/// The name of an item in its own file, without the file, the round and the member of a family.
fn plain(unique: &str) -> &str {
    let name = unique.rsplit(['.', ':', '/']).next().unwrap_or(unique);
    name.split('[').next().unwrap_or(name)
}

impl Step for Classify {
    fn build(self, roots: &Roots) -> Result<Built> {
        let scorer = Scorer::open(located("classify", &self.classifier.0, roots)?)?;
        // The planner writes the column's name into the plan.
        let column = self.r#as.unwrap_or_else(|| "score".to_owned());
        Ok(Built::Map(Arc::new(Classifying { scorer, column })))
    }
}

#[derive(Debug)]
struct Classifying {
    scorer: Scorer,
    column: String,
}

impl Map for Classifying {
    fn name(&self) -> &'static str {
        "classify"
    }

    fn apply(&self, doc: &mut Document) -> Outcome {
        match self.scorer.score(doc) {
            Some(score) => doc.columns.insert(self.column.clone(), score.into()),
            None => doc.columns.remove(&self.column),
        };
        Outcome::Keep
    }
}

#[cfg(test)]
mod tests {
    use llmp_stdlib::{ItemRef, Settings};

    use super::*;

    #[test]
    fn a_classifier_adds_a_column_of_its_name() {
        let item = |name: &str| Value::Item(ItemRef { item: name.into(), part: None });
        let args = |value| -> Record { [("classifier".to_owned(), value)].into() };
        let flow = Classify::SIGNATURE.flow.unwrap();
        for (unique, column) in [("educational", "educational"), ("data.math_quality", "math_quality")] {
            assert_eq!(flow.added(&args(item(unique))), [(column.to_owned(), Column::Num)]);
        }
    }
}
