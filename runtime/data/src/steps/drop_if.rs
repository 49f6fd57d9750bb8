//! Drops documents for which a condition on columns holds.

use std::sync::Arc;

use llmp_stdlib::{Formula, Problem};

use super::{
    Built, Map, Outcome, Reason, Step,
    predicate::{Predicate, Truth},
};
use crate::{document::Document, error::Result, readers::Roots};

llmp_stdlib::def! {
    /// Drops documents for which the condition holds.
    ///
    /// A comparison with a column that a document lacks, or that has another type there, is unknown: neither true nor
    /// false. `drop_if` keeps such documents.
    ///
    /// ```llmp
    /// dataset short = books |> drop_if(words(.text) > 10_000)
    /// ```
    DropIf = "drop_if", rev 1, rows_of [Html, Docs, Chat, Prompt, Answers, Preference, Labelled], check compiles {
        /// The condition.
        condition: Formula,
    }
}

fn compiles(it: &DropIf) -> Vec<Problem> {
    super::predicate::problems(&it.condition)
}

impl Step for DropIf {
    fn build(self, _roots: &Roots) -> Result<Built> {
        Ok(Built::Map(Arc::new(Dropper(Predicate::new("drop_if", &self.condition)?))))
    }
}

#[derive(Debug)]
struct Dropper(Predicate);

impl Map for Dropper {
    fn name(&self) -> &'static str {
        "drop_if"
    }

    fn needs(&self) -> Vec<String> {
        self.0.columns().to_vec()
    }

    fn apply(&self, doc: &mut Document) -> Outcome {
        match self.0.holds(doc) {
            Truth::True => {
                let by = self.0.decided(doc, true).map(Box::new);
                Outcome::Drop(Reason { name: "condition".into(), by })
            }
            Truth::False | Truth::Unknown(_) => Outcome::Keep,
        }
    }
}
