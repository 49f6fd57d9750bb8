//! Keeps documents for which a condition on columns holds.

use std::sync::Arc;

use llmp_stdlib::{Formula, Problem};

use super::{
    Built, Map, Outcome, Reason, Step,
    predicate::{Predicate, Truth},
};
use crate::{document::Document, error::Result, readers::Roots};

llmp_stdlib::def! {
    /// Keeps documents for which the condition holds.
    ///
    /// A comparison with a column that a document lacks, or that has another type there, is unknown: neither true nor
    /// false. `keep_if` drops such documents, with the reason `no .column`.
    ///
    /// ```llmp
    /// dataset english = books |> detect_language() |> keep_if(.lang == "en")
    /// ```
    KeepIf = "keep_if", rev 1, rows_of [Html, Docs, Chat, Prompt, Answers, Preference, Labelled], check compiles {
        /// The condition.
        condition: Formula,
    }
}

fn compiles(it: &KeepIf) -> Vec<Problem> {
    super::predicate::problems(&it.condition)
}

impl Step for KeepIf {
    fn build(self, _roots: &Roots) -> Result<Built> {
        Ok(Built::Map(Arc::new(Keeper(Predicate::new("keep_if", &self.condition)?))))
    }
}

#[derive(Debug)]
struct Keeper(Predicate);

impl Map for Keeper {
    fn name(&self) -> &'static str {
        "keep_if"
    }

    fn needs(&self) -> Vec<String> {
        self.0.columns().to_vec()
    }

    fn apply(&self, doc: &mut Document) -> Outcome {
        match self.0.holds(doc) {
            Truth::True => Outcome::Keep,
            Truth::False => {
                let by = self.0.decided(doc, false).map(Box::new);
                Outcome::Drop(Reason { name: "condition".into(), by })
            }
            Truth::Unknown(column) => Outcome::Drop(format!("no .{column}").into()),
        }
    }
}
