//! A reward model with the template and the tokenizer that it reads text by.

use std::path::Path;

use llmp_data::row::Message;

use super::RewardModel;
use crate::chat::{Chat, template_of};
use crate::error::Result;
use crate::folder::Vocabulary;

/// A reward model that reads conversations, as it was trained on them.
#[derive(Debug)]
pub struct Judge {
    model: RewardModel,
    chat: Chat,
}

impl Judge {
    /// A reward model in a folder with its tokenizer.
    pub fn open(folder: &Path, vocabulary: &Vocabulary) -> Result<Judge> {
        let template = template_of(folder, vocabulary.path())?;
        let chat = Chat::of(template.as_deref(), vocabulary, None)?;
        Ok(Judge { model: RewardModel::load(folder)?, chat })
    }

    /// The reward of a conversation; none for one that is too long.
    pub fn reward(&self, turns: &[Message]) -> Result<Option<f32>> {
        let ids = self.chat.render(turns)?.ids;
        if ids.len() > self.model.context() {
            return Ok(None);
        }
        Ok(self.model.score(&[&ids])?.first().copied())
    }

    /// Rewards of answers, each behind its prompt. Of what is too long the beginning is read: a stage cannot leave it out.
    pub fn score(&self, all: &[(&[Message], &str)]) -> Result<Vec<f32>> {
        let render = |(prompt, answer): &(&[Message], &str)| {
            let turns = [prompt, [Message::new("assistant", *answer)].as_slice()].concat();
            let mut ids = self.chat.render(&turns)?.ids;
            ids.truncate(self.model.context());
            Ok(ids)
        };
        let ids = all.iter().map(render).collect::<Result<Vec<_>>>()?;
        self.model.score(&ids.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }
}
