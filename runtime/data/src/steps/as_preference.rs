//! `as_preference`: preferences out of three columns.

use std::sync::Arc;

use llmp_stdlib::{Problem, Record, State};

use super::{Built, Map, Outcome, Step, arguments::named, turns};
use crate::{
    document::{Cell, Document},
    error::Result,
    readers::Roots,
    row::Row,
};

llmp_stdlib::def! {
    /// Makes preferences out of three columns.
    ///
    /// Reasons: `no .column`, `equal answers`.
    ///
    /// ```llmp
    /// dataset pairs = rated |> as_preference(prompt = "question", chosen = "good", rejected = "bad")
    /// ```
    AsPreference = "as_preference", rev 1, rows_of [Docs, Prompt], to preference, reads pair, check differ {
        /// The column of the prompt.
        prompt: String = "\"prompt\"",
        /// The column of the better answer.
        chosen: String = "\"chosen\"",
        /// The column of the worse answer.
        rejected: String = "\"rejected\"",
        /// The column that says how much better: `significantly`, `better`, `slightly`, `negligibly`.
        strength: Option<String> = "none",
    }
}

fn preference(_: &Record) -> State {
    State::Preference
}

fn pair(args: &Record) -> Vec<String> {
    named(args, &["prompt", "chosen", "rejected", "strength"])
}

fn differ(it: &AsPreference) -> Vec<Problem> {
    if it.chosen != it.rejected {
        return Vec::new();
    }
    let message = format!("as_preference: `chosen` and `rejected` are the same column `.{}`", it.chosen);
    vec![Problem::error("LLMP0209", "rejected", message)]
}

impl Step for AsPreference {
    fn build(self, _roots: &Roots) -> Result<Built> {
        Ok(Built::Map(Arc::new(self)))
    }
}

impl Map for AsPreference {
    fn name(&self) -> &'static str {
        "as_preference"
    }

    fn needs(&self) -> Vec<String> {
        [&self.prompt, &self.chosen, &self.rejected].into_iter().chain(&self.strength).cloned().collect()
    }

    fn apply(&self, doc: &mut Document) -> Outcome {
        let part = |column: &str, role| turns::turns(doc, column, role);
        let prompt = part(&self.prompt, "user");
        let answers = (part(&self.chosen, "assistant"), part(&self.rejected, "assistant"));
        let (prompt, chosen, rejected) = match (prompt, answers) {
            (Ok(prompt), (Ok(chosen), Ok(rejected))) => (prompt, chosen, rejected),
            (Err(gone), _) | (_, (Err(gone), _) | (_, Err(gone))) => return gone,
        };
        if chosen == rejected {
            return Outcome::Drop("equal answers".into());
        }
        if let Some(column) = &self.strength {
            let Some(strength) = turns::text(doc, column).map(|text| text.into_owned()) else {
                return turns::missing(column);
            };
            doc.columns.insert("strength".into(), Cell::Text(strength));
        }
        turns::used(doc, &[&self.prompt, &self.chosen, &self.rejected]);
        doc.set_row(Row::Preference { prompt, chosen, rejected, edited: None });
        Outcome::Keep
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use llmp_stdlib::{Settings, Value};

    #[test]
    fn one_column_cannot_be_both_answers() {
        let args: Record = [
            ("prompt", Value::text("p")),
            ("chosen", Value::text("a")),
            ("rejected", Value::text("a")),
            ("strength", Value::None),
        ]
        .map(|(k, v)| (k.to_owned(), v))
        .into();
        assert_eq!((AsPreference::SIGNATURE.check)(&args)[0].code, "LLMP0209");
    }
}
