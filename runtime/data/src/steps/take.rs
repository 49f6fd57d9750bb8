//! `take`: the first records in document order.

use std::sync::Arc;

use llmp_stdlib::Problem;

use super::{Barrier, Built, Documents, Mark, Step, arguments::above_zero};
use crate::{document::Document, engine::Desk, error::Result, readers::Roots};

llmp_stdlib::def! {
    /// Keeps the first records in document order. Reason: `not among the first`.
    ///
    /// ```llmp
    /// dataset few = books |> take(1000)
    /// ```
    Take = "take", rev 1, whole_of [Html, Docs, Chat, Prompt, Answers, Preference, Labelled], check some {
        /// How many.
        count: Documents,
    }
}

fn some(it: &Take) -> Vec<Problem> {
    above_zero("count", it.count.0).into_iter().collect()
}

impl Step for Take {
    fn build(self, _roots: &Roots) -> Result<Built> {
        Ok(Built::Barrier(Arc::new(self)))
    }
}

impl Barrier for Take {
    fn name(&self) -> &'static str {
        "take"
    }

    fn sketch(&self, _doc: &Document, _out: &mut Vec<u8>) {}

    fn decide(&self, desk: &mut Desk<'_>) -> Result<()> {
        let last = Mark::drop("not among the first");
        (self.count.0..desk.documents()).try_for_each(|number| desk.mark(number, &last))
    }
}
