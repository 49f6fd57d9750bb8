//! `metrics.jsonl` and TensorBoard's event file: one line a step, cut back to the checkpoint when a stage goes on.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::tensorboard;
use crate::error::{Result, TrainError};

/// One optimizer step. No clock time is in it, so that equal runs give equal files.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Line {
    /// Steps done, from 1.
    pub(crate) step: u64,
    /// Tokens consumed so far.
    pub(crate) tokens: u64,
    /// Mean loss of the batch, in nats a token.
    pub(crate) loss: f64,
    /// Learning rate of the step.
    pub(crate) lr: f64,
    /// Norm of the gradient before clipping.
    pub(crate) norm: f64,
    /// The penalty that a z-loss adds to the loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) z_loss: Option<f64>,
    /// Mean divergence from the teacher, of a distillation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) teacher: Option<f64>,
    /// Mean negative log-likelihood of the true tokens, of a distillation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) truth: Option<f64>,
    /// What the objective tells of the step, by metric: of preferences the log-probability of chosen and rejected answers, the
    /// share of pairs on the right side, their margin, the divergence from the reference.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) objective: BTreeMap<String, f64>,
    /// The highest loss that would have been no jump, where the loss jumped and the step was left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) spike: Option<f64>,
    /// The step whose weights were taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rewound: Option<u64>,
    /// Share of the hidden facts that were found after the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) needle: Option<f64>,
    /// What the model scored on held-out documents after the step, by metric.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) evaluation: BTreeMap<String, f64>,
    /// What it wrote from nothing after the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sample: Option<String>,
}

/// The open file.
#[derive(Debug)]
pub(crate) struct Metrics {
    path: PathBuf,
    file: File,
    bytes: u64,
    /// The same steps for TensorBoard.
    events: File,
}

impl Metrics {
    /// Opens the file of a stage's folder with its first `bytes` bytes; the rest belongs to work that was lost.
    pub(crate) fn open(folder: &Path, bytes: u64) -> Result<Metrics> {
        let path = folder.join("metrics.jsonl");
        let mut options = OpenOptions::new();
        let file = options.create(true).write(true).truncate(false).open(&path);
        let mut file = file.map_err(TrainError::io("open", &path))?;
        let length = file.metadata().map_err(TrainError::io("open", &path))?.len();
        if length < bytes {
            let reason = format!("the checkpoint has seen {bytes} bytes of it, only {length} are there");
            return Err(TrainError::Checkpoint { path, reason });
        }
        file.set_len(bytes)
            .and_then(|()| file.seek(SeekFrom::End(0)))
            .map_err(TrainError::io("cut", &path))?;
        let events = events(folder, &path)?;
        Ok(Metrics { path, file, bytes, events })
    }

    /// Appends a line.
    pub(crate) fn write(&mut self, line: &Line) -> Result<()> {
        let mut text = serde_json::to_vec(line).map_err(|e| TrainError::Settings(e.to_string()))?;
        text.push(b'\n');
        self.file.write_all(&text).map_err(TrainError::io("write", &self.path))?;
        self.bytes += text.len() as u64;
        self.events.write_all(&tensorboard::event(line)).map_err(TrainError::io("write", &self.path))
    }

    /// Makes all lines durable; gives their length in bytes.
    pub(crate) fn sync(&mut self) -> Result<u64> {
        self.file.sync_data().map_err(TrainError::io("sync", &self.path))?;
        Ok(self.bytes)
    }
}

/// The event file, written anew with the steps that `metrics` holds.
fn events(folder: &Path, metrics: &Path) -> Result<File> {
    let text = std::fs::read_to_string(metrics).map_err(TrainError::io("read", metrics))?;
    let mut content = tensorboard::head();
    for line in text.lines() {
        let line = serde_json::from_str(line).map_err(|e| TrainError::Checkpoint {
            path: metrics.to_owned(),
            reason: format!("not a line of metrics: {e}"),
        })?;
        content.extend(tensorboard::event(&line));
    }
    let path = folder.join(tensorboard::FILE);
    let mut file = File::create(&path).map_err(TrainError::io("create", &path))?;
    file.write_all(&content).map_err(TrainError::io("write", &path))?;
    Ok(file)
}
