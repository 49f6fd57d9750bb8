//! What each step of a program was when it last ran, so that `llmp why` can say what changed since.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Store;
use super::durable::{self, Hook};
use super::key::Definition;
use crate::failure::Failure;

/// The last state of one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Remembered {
    /// Key of its result.
    pub key: String,
    /// What it was.
    pub definition: Definition,
    /// Why it ran then, in words.
    pub because: Vec<String>,
    /// Key of the result before that one: `ITEM@before` of `llmp data diff`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
}

/// The journal of one program file.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    steps: BTreeMap<String, Remembered>,
}

impl Journal {
    /// Opens the journal of a program; an unreadable one is started anew, which costs only explanations.
    pub fn open(store: &Store, program: &str) -> Journal {
        let path = store.root().join("runs").join(program).join("steps.json");
        let steps = std::fs::read_to_string(&path).ok().and_then(|text| serde_json::from_str(&text).ok());
        Journal { path, steps: steps.unwrap_or_default() }
    }

    /// The last state of a step.
    pub fn get(&self, step: &str) -> Option<&Remembered> {
        self.steps.get(step)
    }

    /// Every step that was remembered, by name.
    pub fn all(&self) -> &BTreeMap<String, Remembered> {
        &self.steps
    }

    /// Why a definition has to run: the differences to the last time, or that there was none.
    pub fn reasons(&self, step: &str, definition: &Definition) -> Vec<String> {
        match self.get(step) {
            None => vec!["it has not run before".to_owned()],
            Some(last) => {
                let words = definition.differences(&last.definition);
                if words.is_empty() { vec!["its result is not in the store".to_owned()] } else { words }
            }
        }
    }

    /// Remembers a step that ran (with reasons), or that was found in the store.
    pub fn remember(
        &mut self,
        step: &str,
        definition: &Definition,
        ran: Option<Vec<String>>,
        hook: Hook<'_>,
    ) -> Result<(), Failure> {
        let key = definition.key().text().to_owned();
        let because = match (ran, self.steps.get(step)) {
            (Some(reasons), _) => reasons,
            (None, Some(last)) if last.key == key => return Ok(()),
            (None, _) => vec!["its result was in the store already".to_owned()],
        };
        let before = match self.steps.get(step) {
            Some(last) if last.key == key => last.before.clone(),
            last => last.map(|last| last.key.clone()),
        };
        let now = Remembered { key, definition: definition.clone(), because, before };
        self.steps.insert(step.to_owned(), now);
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| Failure::io("create", folder, &e))?;
        }
        let text =
            serde_json::to_string_pretty(&self.steps).map_err(|e| Failure::new("LLMP1301", e.to_string()))?;
        durable::write(&self.path, text.as_bytes(), hook)
    }
}
