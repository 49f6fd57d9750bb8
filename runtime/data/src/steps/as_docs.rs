//! `as_docs`: conversations written as documents.

use std::sync::Arc;

use llmp_stdlib::{Problem, Record, State};

use super::{Built, Map, Outcome, Step};
use crate::{
    document::{Cell, Document},
    error::Result,
    readers::Roots,
    row::Message,
    templates::{Known, Template},
};

llmp_stdlib::def! {
    /// Writes conversations as documents by a template: instruction data for pre-training (Qwen 2, section 3.1).
    ///
    /// A prompt with an answer is a conversation; a text with a label is one in which the label answers. Other columns stay.
    /// Reason: `no text`.
    ///
    /// ```llmp
    /// dataset taught = chats |> as_docs(template = chatml)
    /// ```
    AsDocs = "as_docs", rev 1, rows_of [Chat, Prompt, Answers, Labelled], to docs, lacks own_template {
        /// How turns are written.
        template: Template = "plain",
    }
}

fn docs(_: &Record) -> State {
    State::Docs
}

fn own_template(it: &AsDocs) -> Vec<Problem> {
    let message =
        "as_docs: a template by its text is not available in this version; name one that llmp knows";
    match it.template {
        Template::Known(_) => Vec::new(),
        Template::Text(_) => vec![Problem::error("LLMP0703", "template", message)],
    }
}

impl Step for AsDocs {
    fn build(self, _roots: &Roots) -> Result<Built> {
        let template = match self.template {
            Template::Known(known) => known,
            Template::Text(_) => Known::Plain,
        };
        Ok(Built::Map(Arc::new(Writer(template))))
    }
}

#[derive(Debug)]
struct Writer(Known);

impl Map for Writer {
    fn name(&self) -> &'static str {
        "as_docs"
    }

    fn apply(&self, doc: &mut Document) -> Outcome {
        let messages: Vec<Message> = match (doc.row.take(), doc.columns.remove("label")) {
            (Some(row), label) => {
                doc.columns.extend(label.map(|label| ("label".to_owned(), label)));
                row.parts().into_iter().flat_map(|(_, turns)| turns.clone()).collect()
            }
            (None, Some(Cell::Text(label))) => {
                vec![Message::new("user", doc.text.clone()), Message::new("assistant", label)]
            }
            (None, _) => vec![Message::new("user", doc.text.clone())],
        };
        doc.text = self.0.write(&messages);
        if doc.text.trim().is_empty() { Outcome::Drop("no text".into()) } else { Outcome::Keep }
    }
}
