//! Rows that are more than a text: conversations, prompts, answers and preferences, with their messages kept exactly.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One turn of a conversation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks: `system`, `user`, `assistant`, `tool`, or what the data call it.
    pub role: String,
    /// What is said; `None` where the data hold `null` (a turn that only calls tools).
    pub content: Option<String>,
    /// Every other field as the data hold it: `name`, `tool_calls`, `tool_call_id`, `weight`.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl Message {
    /// A turn of plain text.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Message {
        Message { role: role.into(), content: Some(content.into()), more: Map::new() }
    }

    /// What is said; nothing where there is no content.
    pub fn text(&self) -> &str {
        self.content.as_deref().unwrap_or_default()
    }
}

/// What a row of the states Chat, Prompt, Answers and Preference holds. Labelled rows are documents with a column `label`.
#[derive(Clone, Debug, PartialEq)]
pub enum Row {
    /// State Chat.
    Chat {
        /// The conversation.
        messages: Vec<Message>,
    },
    /// State Prompt.
    Prompt {
        /// The turns before the answer that is asked for.
        prompt: Vec<Message>,
    },
    /// State Answers: one row for each answer.
    Answer {
        /// The turns before it.
        prompt: Vec<Message>,
        /// The answer.
        answer: Vec<Message>,
    },
    /// State Preference; `strength` is a column.
    Preference {
        /// The turns before the answers.
        prompt: Vec<Message>,
        /// The better answer.
        chosen: Vec<Message>,
        /// The worse answer.
        rejected: Vec<Message>,
        /// An answer that people wrote from the better one, better than both.
        edited: Option<Vec<Message>>,
    },
}

impl Row {
    /// The lists of messages by the name of their column, in their order.
    pub fn parts(&self) -> Vec<(&'static str, &Vec<Message>)> {
        match self {
            Row::Chat { messages } => vec![("messages", messages)],
            Row::Prompt { prompt } => vec![("prompt", prompt)],
            Row::Answer { prompt, answer } => vec![("prompt", prompt), ("answer", answer)],
            Row::Preference { prompt, chosen, rejected, edited } => {
                let three = [("prompt", prompt), ("chosen", chosen), ("rejected", rejected)];
                three.into_iter().chain(edited.iter().map(|turns| ("edited", turns))).collect()
            }
        }
    }

    /// One list of messages by the name of its column.
    pub fn part(&self, name: &str) -> Option<&Vec<Message>> {
        self.parts().into_iter().find(|(own, _)| *own == name).map(|(_, turns)| turns)
    }

    /// All messages, to be edited.
    pub fn messages_mut(&mut self) -> Vec<&mut Message> {
        match self {
            Row::Chat { messages } => messages.iter_mut().collect(),
            Row::Prompt { prompt } => prompt.iter_mut().collect(),
            Row::Answer { prompt, answer } => prompt.iter_mut().chain(answer).collect(),
            Row::Preference { prompt, chosen, rejected, edited } => {
                let edited = edited.iter_mut().flatten();
                prompt.iter_mut().chain(chosen).chain(rejected).chain(edited).collect()
            }
        }
    }

    /// All that is said, an empty line between turns: what deduplication and text filters see.
    pub fn text(&self) -> String {
        let parts = self.parts();
        let said =
            parts.iter().flat_map(|(_, turns)| turns.iter()).filter_map(|turn| turn.content.as_deref());
        said.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n\n")
    }
}

/// A list of messages as the text of a column: the content of a single turn of text, else JSON.
pub fn as_text(turns: &[Message]) -> String {
    match turns {
        [Message { content: Some(text), more, .. }] if more.is_empty() => text.clone(),
        several => serde_json::to_string(several).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_knows_its_texts() {
        let mut row = Row::Preference {
            prompt: vec![Message::new("system", "Be brief."), Message::new("user", "Why?")],
            chosen: vec![Message::new("assistant", "So.")],
            rejected: vec![Message { role: "assistant".into(), ..Message::default() }],
            edited: Some(vec![Message::new("assistant", "Thus.")]),
        };
        assert_eq!(row.text(), "Be brief.\n\nWhy?\n\nSo.\n\nThus.");
        assert_eq!(row.messages_mut().len(), 5);
        assert_eq!(as_text(row.part("chosen").unwrap()), "So.");
        assert!(as_text(row.part("prompt").unwrap()).starts_with("[{\"role\":\"system\""));
        assert!(row.part("messages").is_none());
    }
}
