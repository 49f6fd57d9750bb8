//! `score`: the reward of an answer, as a column.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use llmp_data::steps::{Map, Outcome};
use llmp_data::{DataError, Document};

use crate::error::Result;
use crate::folder::Vocabulary;
use crate::reward::Judge;

/// A reward model that reads records. Every answer is scored by itself, so that its reward does not depend on the others.
#[derive(Debug)]
pub struct Scoring {
    judge: Judge,
    /// The first failure.
    failed: Mutex<Option<String>>,
}

impl Scoring {
    /// Opens the folder of a reward model and the tokenizer that reads for it.
    pub fn open(folder: &Path, tokenizer: &Path) -> Result<Scoring> {
        let judge = Judge::open(folder, &Vocabulary::load(tokenizer)?)?;
        Ok(Scoring { judge, failed: Mutex::default() })
    }

    /// The reward of a record; none for one that is too long.
    fn reward(&self, doc: &Document) -> Result<Option<f32>> {
        let parts = doc.row.iter().flat_map(|row| row.parts());
        let turns: Vec<_> = parts.flat_map(|(_, turns)| turns.iter().cloned()).collect();
        self.judge.reward(&turns)
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
