//! From one state to another: conversations, prompts, preferences, labels, and back to documents.

use llmp_stdlib::{Problem, Record, State};

use super::named;
use crate::templates::Template;

llmp_stdlib::def! {
    /// Makes a conversation of one turn out of two columns: of a prompt and its answer, or of two columns that are named.
    ///
    /// ```llmp
    /// dataset chats = problems |> as_chat(user = "question", assistant = "solution")
    /// ```
    @planned AsChat = "as_chat", rev 1, rows_of [Answers, Docs, Prompt, Labelled], to chat, reads turns {
        /// The column that the user says.
        user: String = "\"prompt\"",
        /// The column that the assistant says.
        assistant: String = "\"answer\"",
        /// A system prompt before it.
        system: Option<String> = "none",
    }
}

fn chat(_: &Record) -> State {
    State::Chat
}

fn turns(args: &Record) -> Vec<String> {
    named(args, &["user", "assistant"])
}

llmp_stdlib::def! {
    /// Makes prompts: out of a column, or out of a conversation up to its last answer.
    ///
    /// ```llmp
    /// dataset asks = problems |> as_prompt(prompt = "question")
    /// ```
    @planned AsPrompt = "as_prompt", rev 1, rows_of [Docs, Chat, Preference, Labelled], to prompt, reads asked {
        /// The column; without it the record's own prompt or conversation.
        prompt: Option<String> = "none",
        /// A system prompt before it.
        system: Option<String> = "none",
    }
}

fn prompt(_: &Record) -> State {
    State::Prompt
}

fn asked(args: &Record) -> Vec<String> {
    named(args, &["prompt"])
}

llmp_stdlib::def! {
    /// Makes preferences out of three columns.
    ///
    /// ```llmp
    /// dataset pairs = rated |> as_preference(prompt = "question", chosen = "good", rejected = "bad")
    /// ```
    @planned AsPreference = "as_preference", rev 1, rows_of [Docs, Prompt], to preference, reads pair, check differ {
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

llmp_stdlib::def! {
    /// Makes texts with labels for a classifier out of two columns.
    ///
    /// FineWeb-Edu: a large model judges a sample, a small classifier learns the labels, the classifier scores the crawl.
    ///
    /// ```llmp
    /// dataset labels = sampled |> as_labelled(label = "judgement")
    /// ```
    @planned AsLabelled = "as_labelled", rev 1, rows Docs -> Labelled, reads labels {
        /// The column of the text.
        text: String = "\"text\"",
        /// The column of the label.
        label: String,
    }
}

fn labels(args: &Record) -> Vec<String> {
    named(args, &["text", "label"])
}

llmp_stdlib::def! {
    /// Writes conversations as documents by a template: instruction data for pre-training (Qwen 2, section 3.1).
    ///
    /// ```llmp
    /// dataset taught = chats |> as_docs(template = chatml)
    /// ```
    @planned AsDocs = "as_docs", rev 1, rows_of [Chat, Prompt, Answers, Labelled], to docs {
        /// How turns are written.
        template: Template = "plain",
    }
}

fn docs(_: &Record) -> State {
    State::Docs
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
