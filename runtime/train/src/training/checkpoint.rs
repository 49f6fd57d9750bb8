//! Checkpoints: a folder under a temporary name, synced, renamed; the last good one always exists.
//!
//! `state.safetensors` holds `weights` and what the optimizer keeps (for AdamW `first_moments` and `second_moments`), each
//! end to end in canonical order; `state.json` holds the step, the place in every source and in the log. Training draws no random numbers after
//! the initial weights (documents are ordered by hash), so there is no stream to keep.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use llmp_data::mix::Cursor;
use llmp_nn::Architecture;
use llmp_stdlib::Event;
use safetensors::{Dtype, SafeTensors, View};
use serde::{Deserialize, Serialize};

use super::State;
use crate::durable;
use crate::error::{Result, TrainError};
use crate::host::Host;

const FORMAT: u32 = 2;

/// What `state.json` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Place {
    format: u32,
    /// Steps done.
    pub(super) step: u64,
    /// Updates done: steps but those that were left out.
    pub(super) updates: u64,
    /// Moments in the average of the weights.
    #[serde(default)]
    pub(super) averaged: u64,
    /// Mean loss of the last batch.
    pub(super) loss: f64,
    /// Losses against which a jump is seen.
    #[serde(default)]
    pub(super) losses: Vec<f64>,
    /// How often each part of the stage went on for as long again.
    #[serde(default)]
    pub(super) extended: Vec<u64>,
    /// Steps whose checkpoints stay, so that a jump may lead back to them.
    #[serde(default)]
    pub(super) anchors: Vec<u64>,
    /// Place in every source.
    pub(super) cursor: Cursor,
    /// Bytes of `metrics.jsonl`.
    pub(super) metrics: u64,
    /// The model, against a folder that another model left.
    pub(super) model: Architecture,
    /// Arithmetic under which the weights were made.
    numerics: String,
}

/// A checkpoint that was read.
pub(super) struct Loaded {
    pub(super) path: PathBuf,
    pub(super) place: Place,
    pub(super) weights: Vec<f32>,
    /// What the optimizer keeps, by name.
    pub(super) buffers: BTreeMap<String, Vec<f32>>,
    /// What the objective keeps, by name.
    pub(super) objective: BTreeMap<String, Vec<f32>>,
}

/// The checkpoints of a stage.
pub(super) struct Checkpoints {
    folder: PathBuf,
    keep: usize,
}

impl Checkpoints {
    pub(super) fn new(stage: &Path, keep: usize) -> Checkpoints {
        Checkpoints { folder: stage.join(".checkpoints"), keep: keep.max(1) }
    }

    /// Writes the state, unless its step is saved already, and lets the oldest go.
    pub(super) fn save(&self, state: &mut State, host: &Host<'_>) -> Result<()> {
        let target = self.of(state.done);
        let metrics = state.metrics.sync()?;
        if target.exists() {
            return Ok(());
        }
        let temporary = self.folder.join(".writing");
        durable::remove_folder(&temporary)?;
        fs::create_dir_all(&temporary).map_err(TrainError::io("create", &temporary))?;
        let place = Place {
            format: FORMAT,
            step: state.done,
            updates: state.memory.updates,
            averaged: state.average.as_ref().map_or(0, |average| average.taken),
            loss: state.loss,
            losses: state.watch.losses.clone(),
            extended: state.extended.clone(),
            anchors: state.anchors.clone(),
            cursor: state.feed.cursor(),
            metrics,
            model: state.model.spec().clone(),
            numerics: host.numerics.to_owned(),
        };
        let text = serde_json::to_vec_pretty(&place).map_err(|e| TrainError::Settings(e.to_string()))?;
        host.at("train: before checkpoint");
        let weights = state.model.to_flat();
        let kept = state.memory.buffers.iter().map(|(name, numbers)| (*name, numbers.as_slice()));
        let averages = state.average.iter().flat_map(|average| average.buffers());
        let kept = kept.chain(averages).chain([(WEIGHTS, weights.as_slice())]);
        let over = state.over.iter().flat_map(|over| over.buffers());
        let own = state.objective.iter().map(|(name, numbers)| (format!("{OBJECTIVE}{name}"), &**numbers));
        let all = kept.map(|(name, numbers)| (name.to_owned(), numbers)).chain(over).chain(own);
        let tensors = all.map(|(name, numbers)| (name, Flat::new(numbers)));
        let path = temporary.join(TENSORS);
        safetensors::serialize_to_file(tensors, None, &path).map_err(|e| bad(&path, e))?;
        host.at("train: inside checkpoint");
        durable::sync_file(&path)?;
        durable::write(&temporary.join(PLACE), &text, host)?;
        durable::rename(&temporary, &target, host)?;
        self.prune(&state.anchors, host)?;
        host.tell(Event::Saved {
            step: host.step.to_owned(),
            what: format!("checkpoint at step {}", state.done),
        });
        Ok(())
    }

    /// The newest checkpoint. One that another numerics class made is an error, not a reason to start again.
    pub(super) fn newest(&self, host: &Host<'_>) -> Result<Option<Loaded>> {
        let Some(path) = self.list()?.pop() else { return Ok(None) };
        self.load(path, host).map(Some)
    }

    /// The checkpoint after `step` steps.
    pub(super) fn at(&self, step: u64, host: &Host<'_>) -> Result<Loaded> {
        self.load(self.of(step), host)
    }

    fn of(&self, step: u64) -> PathBuf {
        self.folder.join(format!("{step:010}"))
    }

    fn load(&self, path: PathBuf, host: &Host<'_>) -> Result<Loaded> {
        let text = fs::read(path.join(PLACE)).map_err(TrainError::io("read", &path.join(PLACE)))?;
        let place: Place = serde_json::from_slice(&text).map_err(|e| bad(&path.join(PLACE), e))?;
        if place.format != FORMAT {
            return Err(bad(&path, format!("format {} is not that of this version, {FORMAT}", place.format)));
        }
        if place.numerics != host.numerics {
            let reason =
                format!("made with {}, this machine computes with {}", place.numerics, host.numerics);
            return Err(TrainError::Checkpoint { path, reason });
        }
        let file = path.join(TENSORS);
        let bytes = fs::read(&file).map_err(TrainError::io("read", &file))?;
        let tensors = SafeTensors::deserialize(&bytes).map_err(|e| bad(&file, e))?;
        let (mut buffers, mut objective) = (BTreeMap::new(), BTreeMap::new());
        for (name, tensor) in tensors.tensors() {
            if tensor.dtype() != Dtype::F32 {
                return Err(bad(&file, format!("`{name}` holds {:?}, not F32", tensor.dtype())));
            }
            let numbers = tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            match name.strip_prefix(OBJECTIVE) {
                Some(own) => objective.insert(own.to_owned(), numbers.collect()),
                None => buffers.insert(name, numbers.collect::<Vec<f32>>()),
            };
        }
        let weights = buffers.remove(WEIGHTS).unwrap_or_default();
        let wanted = place.model.parameters();
        if weights.len() as u64 != wanted {
            let reason = format!("`{WEIGHTS}` holds {} numbers, the model has {wanted}", weights.len());
            return Err(bad(&file, reason));
        }
        Ok(Loaded { path, place, weights, buffers, objective })
    }

    /// Removes all of them: the stage is finished.
    pub(super) fn remove(&self) -> Result<()> {
        durable::remove_folder(&self.folder)
    }

    /// Whole checkpoints, oldest first.
    fn list(&self) -> Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(TrainError::io("list", &self.folder))?,
        };
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry.map_err(TrainError::io("list", &self.folder))?.path();
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            if name.len() == 10 && name.bytes().all(|b| b.is_ascii_digit()) {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }

    /// An old checkpoint loses its name before its files, so that no half one can be read.
    fn prune(&self, anchors: &[u64], host: &Host<'_>) -> Result<()> {
        let old = self.folder.join(".old");
        durable::remove_folder(&old)?;
        let paths = self.list()?;
        let stays: Vec<PathBuf> = anchors.iter().map(|step| self.of(*step)).collect();
        let old_ones = &paths[..paths.len().saturating_sub(self.keep)];
        for path in old_ones.iter().filter(|path| !stays.contains(path)) {
            durable::rename(path, &old, host)?;
            durable::remove_folder(&old)?;
        }
        Ok(())
    }
}

const WEIGHTS: &str = "weights";
/// What buffers of the objective begin with.
const OBJECTIVE: &str = "objective.";
const TENSORS: &str = "state.safetensors";
const PLACE: &str = "state.json";

fn bad(path: &Path, reason: impl std::fmt::Display) -> TrainError {
    TrainError::Checkpoint { path: path.to_path_buf(), reason: reason.to_string() }
}

/// Numbers as one tensor of a file.
struct Flat<'a> {
    numbers: &'a [f32],
    shape: [usize; 1],
}

impl<'a> Flat<'a> {
    fn new(numbers: &'a [f32]) -> Flat<'a> {
        Flat { numbers, shape: [numbers.len()] }
    }
}

impl View for Flat<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        if cfg!(target_endian = "little") {
            Cow::Borrowed(bytemuck::cast_slice(self.numbers))
        } else {
            Cow::Owned(self.numbers.iter().flat_map(|x| x.to_le_bytes()).collect())
        }
    }

    fn data_len(&self) -> usize {
        4 * self.numbers.len()
    }
}
