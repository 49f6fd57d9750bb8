//! `as_prompt`: prompts out of columns and conversations.

use std::sync::Arc;

use llmp_stdlib::{Record, State};

use super::{Built, Map, Outcome, Step, arguments::named, turns};
use crate::{document::Document, error::Result, readers::Roots, row::Message, row::Row};

llmp_stdlib::def! {
    /// Makes prompts: out of a column, or out of a conversation up to its last answer.
    ///
    /// Without a column, a conversation that ends with the assistant loses that last answer, a preference keeps its prompt, and
    /// the text of a document is what the user says. Reasons: `no .column`, `no prompt`.
    ///
    /// ```llmp
    /// dataset asks = problems |> as_prompt(prompt = "question")
    /// ```
    AsPrompt = "as_prompt", rev 1, rows_of [Docs, Chat, Preference, Labelled], to prompt, reads asked {
        /// The column; without it the record's own prompt or conversation.
        prompt: Option<String> = "none",
        /// A system prompt before it, in place of one that is there.
        system: Option<String> = "none",
    }
}

fn prompt(_: &Record) -> State {
    State::Prompt
}

fn asked(args: &Record) -> Vec<String> {
    named(args, &["prompt"])
}

impl Step for AsPrompt {
    fn build(self, _roots: &Roots) -> Result<Built> {
        Ok(Built::Map(Arc::new(self)))
    }
}

impl Map for AsPrompt {
    fn name(&self) -> &'static str {
        "as_prompt"
    }

    fn needs(&self) -> Vec<String> {
        self.prompt.iter().cloned().collect()
    }

    fn apply(&self, doc: &mut Document) -> Outcome {
        let mut prompt = match (&self.prompt, doc.row.as_deref()) {
            (Some(column), _) => match turns::turns(doc, column, "user") {
                Ok(prompt) => prompt,
                Err(gone) => return gone,
            },
            (None, Some(Row::Chat { messages })) => {
                let answered = messages.last().is_some_and(|turn| turn.role == "assistant");
                messages[..messages.len() - usize::from(answered)].to_vec()
            }
            (None, Some(row)) => row.part("prompt").cloned().unwrap_or_default(),
            (None, None) => vec![Message::new("user", doc.text.clone())],
        };
        if prompt.iter().all(|turn| turn.role == "system" || turn.text().is_empty()) {
            return Outcome::Drop("no prompt".into());
        }
        turns::with_system(&mut prompt, self.system.as_ref());
        turns::used(doc, &self.prompt.iter().map(String::as_str).collect::<Vec<_>>());
        doc.set_row(Row::Prompt { prompt });
        Outcome::Keep
    }
}
