//! `as_chat`: conversations of one turn out of two columns.

use std::sync::Arc;

use llmp_stdlib::{Record, State};

use super::{Built, Map, Outcome, Step, arguments::named, turns};
use crate::{document::Document, error::Result, readers::Roots, row::Row};

llmp_stdlib::def! {
    /// Makes a conversation of one turn out of two columns: of a prompt and its answer, or of two columns that are named.
    ///
    /// A prompt or answer of several messages gives all of them. A record without one of the columns is dropped with the reason
    /// `no .column`. The two columns become messages; the others stay.
    ///
    /// ```llmp
    /// dataset chats = problems |> as_chat(user = "question", assistant = "solution")
    /// ```
    AsChat = "as_chat", rev 1, rows_of [Answers, Docs, Prompt, Labelled], to chat, reads named_turns {
        /// The column that the user says.
        user: String = "\"prompt\"",
        /// The column that the assistant says.
        assistant: String = "\"answer\"",
        /// A system prompt before it, in place of one that is there.
        system: Option<String> = "none",
    }
}

fn chat(_: &Record) -> State {
    State::Chat
}

fn named_turns(args: &Record) -> Vec<String> {
    named(args, &["user", "assistant"])
}

impl Step for AsChat {
    fn build(self, _roots: &Roots) -> Result<Built> {
        Ok(Built::Map(Arc::new(self)))
    }
}

impl Map for AsChat {
    fn name(&self) -> &'static str {
        "as_chat"
    }

    fn needs(&self) -> Vec<String> {
        vec![self.user.clone(), self.assistant.clone()]
    }

    fn apply(&self, doc: &mut Document) -> Outcome {
        let user = turns::turns(doc, &self.user, "user");
        let (mut messages, answer) = match (user, turns::turns(doc, &self.assistant, "assistant")) {
            (Ok(user), Ok(answer)) => (user, answer),
            (Err(gone), _) | (_, Err(gone)) => return gone,
        };
        messages.extend(answer);
        turns::with_system(&mut messages, self.system.as_ref());
        turns::used(doc, &[&self.user, &self.assistant]);
        doc.set_row(Row::Chat { messages });
        Outcome::Keep
    }
}
