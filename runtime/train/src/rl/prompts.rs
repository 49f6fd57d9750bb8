//! Prompts as a stage `rl` reads them.

use std::collections::BTreeMap;
use std::path::Path;

use llmp_data::document::{Cell, Document};
use llmp_data::row::{Message, Row};

use crate::chat::Chat;
use crate::error::{Result, TrainError};
use crate::host::Host;
use crate::records;
use crate::training::{Example, Sequence};

/// A prompt.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Asked {
    /// Its turns.
    pub turns: Vec<Message>,
    /// Its tokens, up to where the answer begins.
    pub ids: Vec<u32>,
    /// Columns that verifiers read.
    pub truths: BTreeMap<String, String>,
}

impl Asked {
    /// The prompt as an example of a stage.
    pub fn example(&self) -> Example {
        vec![Sequence { ids: self.ids.clone(), counted: Vec::new() }]
    }
}

/// The turns that are to be answered: of a prompt all, of a conversation those before its last answer.
pub(crate) fn turns(doc: &Document) -> Option<Vec<Message>> {
    let turns = match doc.row.as_deref()? {
        Row::Prompt { prompt } => prompt.as_slice(),
        Row::Chat { messages } => {
            let last = messages.iter().rposition(|turn| turn.role == "assistant");
            &messages[..last.unwrap_or(messages.len())]
        }
        Row::Answer { .. } | Row::Preference { .. } => &[],
    };
    (!turns.is_empty()).then(|| turns.to_vec())
}

/// How a stage reads its records.
#[derive(Debug)]
pub struct Reader<'a> {
    /// How turns are written.
    pub chat: &'a Chat,
    /// Columns that verifiers read.
    pub columns: &'a [String],
    /// Positions of the policy.
    pub context: usize,
}

impl Reader<'_> {
    /// The prompts of a folder of documents, in their order, and how many are left out because they leave no room for an answer.
    ///
    /// Errors: a record that is no prompt, or lacks a column that a verifier reads; the stop flag.
    pub fn read(&self, folder: &Path, host: &Host<'_>) -> Result<(Vec<Asked>, u64)> {
        let (mut all, mut long) = (Vec::new(), 0);
        let take = |asked: Asked| {
            // The last token is only a target: with one answer token the sequence has as many positions as the prompt.
            if asked.ids.len() <= self.context {
                all.push(asked);
            } else {
                long += 1;
            }
        };
        records::each(llmp_data::engine::documents(folder)?, host, |doc| self.one(doc), take)?;
        Ok((all, long))
    }

    fn one(&self, doc: &Document) -> Result<Asked> {
        let none = || TrainError::Settings(format!("{}: this is no prompt", doc.id));
        let turns = turns(doc).ok_or_else(none)?;
        let truth = |column: &String| {
            let text = match doc.columns.get(column) {
                Some(Cell::Text(text)) => text.clone(),
                Some(Cell::Num(number)) => number.to_string(),
                Some(Cell::Bool(yes)) => yes.to_string(),
                None => {
                    let message = format!("{}: a verifier reads `.{column}`, which it lacks", doc.id);
                    return Err(TrainError::Settings(message));
                }
            };
            Ok((column.clone(), text))
        };
        let truths = self.columns.iter().map(truth).collect::<Result<_>>()?;
        Ok(Asked { ids: self.chat.prompt(&turns)?, turns, truths })
    }
}
