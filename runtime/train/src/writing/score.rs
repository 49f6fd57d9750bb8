//! `score`: the reward of an answer, as a column.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use llmp_data::steps::{Map, Outcome};
use llmp_data::{DataError, Document};

use crate::chat::{Chat, template_of};
use crate::error::Result;
use crate::folder::Vocabulary;
use crate::reward::RewardModel;

/// A reward model that reads records. Every answer is scored by itself, so that its reward does not depend on the others.
#[derive(Debug)]
pub struct Scoring {
    model: RewardModel,
    chat: Chat,
    /// The first failure.
    failed: Mutex<Option<String>>,
}

impl Scoring {
    /// Opens the folder of a reward model and the tokenizer that reads for it.
    pub fn open(folder: &Path, tokenizer: &Path) -> Result<Scoring> {
        let vocabulary = Vocabulary::load(tokenizer)?;
        let template = template_of(folder, tokenizer)?;
        let chat = Chat::of(template.as_deref(), &vocabulary, None)?;
        Ok(Scoring { model: RewardModel::load(folder)?, chat, failed: Mutex::default() })
    }

    /// The reward of a record; none for one that is too long.
    fn reward(&self, doc: &Document) -> Result<Option<f32>> {
        let parts = doc.row.iter().flat_map(|row| row.parts());
        let turns: Vec<_> = parts.flat_map(|(_, turns)| turns.iter().cloned()).collect();
        let ids = self.chat.render(&turns)?.ids;
        if ids.len() > self.model.context() {
            return Ok(None);
        }
        Ok(self.model.score(&[&ids])?.first().copied())
    }
}

impl Map for Scoring {
    fn name(&self) -> &'static str {
        "score"
    }

    fn apply(&self, doc: &mut Document) -> Outcome {
        match self.reward(doc) {
            Ok(Some(reward)) => {
                doc.columns.insert("score".into(), f64::from(reward).into());
                Outcome::Keep
            }
            Ok(None) => Outcome::Drop("too long".into()),
            Err(error) => {
                let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
                failed.get_or_insert(format!("{}: {error}", doc.id));
                Outcome::Keep
            }
        }
    }

    fn settle(&self, _last: bool) -> llmp_data::Result<()> {
        match self.failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(what) => Err(DataError::Step { step: "score", what }),
            None => Ok(()),
        }
    }
}
