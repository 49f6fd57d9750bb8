//! Reward models: scoring with one, and the stage that trains one.

mod judge;
mod judged;
mod stage;

use std::path::Path;

use llmp_nn::reward::RewardHead;
use llmp_nn::weights::load_reward;
use llmp_nn::{Cpu, IGNORE, MicroBatch, Model};

use crate::error::{Result, TrainError};

pub use judge::Judge;
pub use judged::{Judged, judge};
pub use stage::{Example, Heads, Judging, Read, Reader, Rewarding};

/// Positions that are scored together.
const TOGETHER: usize = 2048;

/// A language model with a scalar head on the last token of an answer.
#[derive(Debug, Clone)]
pub struct RewardModel {
    model: Model,
    head: RewardHead,
    numbers: Vec<f32>,
}

impl RewardModel {
    /// Opens the folder of a reward model: what `reward_model` leaves, or transformers' `ForSequenceClassification` with one label.
    pub fn load(folder: &Path) -> Result<RewardModel> {
        let (sizes, flat, head, numbers) = load_reward(folder)?;
        Ok(RewardModel { model: Model::from_flat(Cpu::default(), sizes, &flat)?, head, numbers })
    }

    /// Most tokens of a text that it reads.
    pub fn context(&self) -> usize {
        self.model.spec().context
    }

    /// Rewards of texts as token ids, each on its last token. Errors: an empty text, one that is too long, ids that the model does
    /// not have.
    pub fn score(&self, ids: &[&[u32]]) -> Result<Vec<f32>> {
        let says = self.head.says();
        Ok(self.say(ids)?.chunks_exact(says).map(|said| said[0]).collect())
    }

    /// All that its heads say of texts: the reward and the logits of every grade.
    pub fn say(&self, ids: &[&[u32]]) -> Result<Vec<f32>> {
        if ids.iter().any(|text| text.is_empty()) {
            return Err(TrainError::Settings("an empty text has no reward".to_owned()));
        }
        let mut all = Vec::with_capacity(ids.len() * self.head.says());
        let mut rest = ids;
        while !rest.is_empty() {
            let mut longest = 0;
            let fits = |text: &&[u32], at: usize, longest: &mut usize| {
                *longest = text.len().max(*longest);
                at == 0 || *longest * (at + 1) <= TOGETHER
            };
            let count =
                rest.iter().enumerate().take_while(|(at, text)| fits(text, *at, &mut longest)).count();
            let (group, tail) = rest.split_at(count);
            let (batch, at) = rows(group);
            all.extend(self.head.forward(&self.numbers, &self.model.states_at(&batch, &at)?)?);
            rest = tail;
        }
        Ok(all)
    }
}

/// Texts as rows, and the positions of their last tokens.
fn rows(texts: &[&[u32]]) -> (MicroBatch, Vec<usize>) {
    let length = texts.iter().map(|text| text.len()).max().unwrap_or(0);
    let n = texts.len() * length;
    let mut batch = MicroBatch {
        rows: texts.len(),
        length,
        targets: vec![IGNORE; n],
        doc_start: vec![0; n],
        ..MicroBatch::default()
    };
    let mut at = Vec::with_capacity(texts.len());
    for (row, text) in texts.iter().enumerate() {
        at.push(row * length + text.len() - 1);
        batch.inputs.extend_from_slice(text);
        batch.inputs.resize((row + 1) * length, 0);
    }
    (batch, at)
}
