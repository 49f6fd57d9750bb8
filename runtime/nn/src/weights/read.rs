//! Reading weights: safetensors files, whole or sharded, tensor by tensor into f32.

use half::{bf16, f16};
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::slots::{self, Slot};
use super::{file_error, gguf, io_error, read_config};
use crate::kernels::Kernels;
use crate::spec::Family;
use crate::{Architecture, Model, NnError};

/// No header of a real model is larger; a bigger number means that the file is something else.
const MAX_HEADER: u64 = 100_000_000;

impl Model {
    /// Reads a Hugging Face folder, or a GGUF file, onto the CPU.
    pub fn load(path: &Path) -> Result<Self, NnError> {
        Self::load_on(dfdx::tensor::Cpu::default(), path)
    }
}

impl<D: Kernels> Model<D> {
    /// Reads a Hugging Face folder of any family that is known, or a GGUF file, onto a device.
    pub fn load_on(device: D, path: &Path) -> Result<Self, NnError> {
        let (sizes, flat) = load(path)?;
        Self::from_flat(device, sizes, &flat)
    }
}

/// Sizes of a model and all its numbers in canonical order, from a Hugging Face folder or a GGUF file.
pub fn load(path: &Path) -> Result<(Architecture, Vec<f32>), NnError> {
    if path.is_file() { gguf::read(path) } else { read_folder(path) }
}

/// The model of a folder and all its numbers in canonical order.
fn read_folder(dir: &Path) -> Result<(Architecture, Vec<f32>), NnError> {
    let (sizes, flat, _) = read_with(dir, false, |_, _| Vec::new())?;
    Ok((sizes, flat))
}

/// The model of a folder, without an output head if `headless`, all its numbers in canonical order, and those of tensors
/// beside it.
pub(super) fn read_with(
    dir: &Path,
    headless: bool,
    beside: impl FnOnce(&Architecture, &Weights) -> Vec<Slot>,
) -> Result<(Architecture, Vec<f32>, Vec<f32>), NnError> {
    let mut folder = Folder::with(dir, headless, beside)?;
    let (flat, more) = (folder.numbers(0..folder.own)?, folder.numbers(folder.own..folder.slots.len())?);
    Ok((folder.sizes, flat, more))
}

/// A Hugging Face folder in which every tensor is there with its shape; no number has been read.
pub(super) struct Folder {
    pub(super) dir: PathBuf,
    pub(super) sizes: Architecture,
    slots: Vec<Slot>,
    /// How many of them are the model's own; the others stand beside it.
    own: usize,
    /// The file and the name there of each slot.
    places: Vec<(usize, String)>,
    weights: Weights,
}

impl Folder {
    pub(super) fn open(dir: &Path) -> Result<Self, NnError> {
        Self::with(dir, false, |_, _| Vec::new())
    }

    fn with(
        dir: &Path,
        headless: bool,
        beside: impl FnOnce(&Architecture, &Weights) -> Vec<Slot>,
    ) -> Result<Self, NnError> {
        let (mut sizes, family) = read_config(dir)?;
        sizes.tied |= headless;
        let weights = Weights::open(dir)?;
        let mut slots = match family {
            Some(family) if weights.place.keys().any(|name| name.ends_with(".experts.gate_up_proj")) => {
                slots::stacked(family, &sizes)
            }
            family => slots::folder(family, &sizes),
        };
        let own = slots.len();
        slots.extend(beside(&sizes, &weights));
        weights.refuse_unknown(&sizes, family, &slots)?;
        let places = slots.iter().map(|slot| weights.find(slot, family)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { dir: dir.to_owned(), sizes, slots, own, places, weights })
    }

    /// All numbers of some slots.
    fn numbers(&mut self, these: Range<usize>) -> Result<Vec<f32>, NnError> {
        let (slots, places) = (&self.slots[these.clone()], &self.places[these]);
        let mut flat = vec![0.0; slots.iter().map(Slot::count).sum()];
        for (slot, (shard, name)) in slots.iter().zip(places) {
            slot.unpack(self.weights.shards[*shard].read(name, 0..slot.count())?, &mut flat);
        }
        Ok(flat)
    }

    /// The numbers of one parameter, which stands at `place` among all numbers of the model.
    pub(super) fn parameter(&mut self, place: &Range<usize>) -> Result<Vec<f32>, NnError> {
        let holds = |slot: &Slot| slot.places.iter().position(|own| own == place);
        let mut all = self.slots[..self.own].iter().zip(&self.places);
        let Some((slot, index, (shard, name))) = all.find_map(|(slot, at)| Some((slot, holds(slot)?, at)))
        else {
            return Err(file_error(&self.dir, format!("no tensor holds the numbers {place:?}")));
        };
        let shard = &mut self.weights.shards[*shard];
        let before: usize = slot.places[..index].iter().map(Range::len).sum();
        let its = before..before + place.len();
        if slot.is_plain() {
            return shard.read(name, its);
        }
        Ok(slot.ours(shard.read(name, 0..slot.count())?)[its].to_vec())
    }
}

/// An open safetensors file whose header has been checked against its length.
struct Shard {
    path: PathBuf,
    file: File,
    /// Where the data begin.
    start: u64,
    metadata: Metadata,
}

/// All files of a folder and which of them holds each tensor.
pub(super) struct Weights {
    dir: PathBuf,
    shards: Vec<Shard>,
    place: BTreeMap<String, usize>,
}

impl Shard {
    fn open(path: PathBuf) -> Result<Self, NnError> {
        let mut file = File::open(&path).map_err(io_error(&path))?;
        let length = file.metadata().map_err(io_error(&path))?.len();
        let bad = |reason: String| file_error(&path, reason);
        let mut prefix = [0; 8];
        if length < 8 {
            return Err(bad(format!("{length} bytes are too few for a safetensors file")));
        }
        file.read_exact(&mut prefix).map_err(io_error(&path))?;
        let header = u64::from_le_bytes(prefix);
        if header > MAX_HEADER || header > length - 8 {
            return Err(bad(format!("the header claims {header} bytes of a file of {length}")));
        }
        let mut text = vec![0; header as usize];
        file.read_exact(&mut text).map_err(io_error(&path))?;
        let metadata: Metadata =
            serde_json::from_slice(&text).map_err(|e| bad(format!("the header is not valid: {e}")))?;
        let (start, data) = (8 + header, metadata.data_len() as u64);
        if length - start != data {
            return Err(bad(format!(
                "the header describes {data} bytes of tensors, the file has {} (cut off, or not complete?)",
                length - start
            )));
        }
        Ok(Self { path, file, start, metadata })
    }

    /// Checks that a tensor has the wanted shape and lies in the file.
    fn check(&self, name: &str, expected: &[usize]) -> Result<(), NnError> {
        let info = self.info(name)?;
        if info.shape != expected {
            return Err(NnError::TensorShape {
                path: self.path.clone(),
                tensor: name.into(),
                found: info.shape.clone(),
                expected: expected.to_vec(),
            });
        }
        self.extent(name, info).map(|_| ())
    }

    fn info(&self, name: &str) -> Result<&TensorInfo, NnError> {
        let missing = || NnError::MissingTensor { path: self.path.clone(), tensor: name.into() };
        self.metadata.info(name).ok_or_else(missing)
    }

    /// Some numbers of a tensor that has been checked.
    fn read(&mut self, name: &str, range: Range<usize>) -> Result<Vec<f32>, NnError> {
        let (from, dtype) = self.extent(name, self.info(name)?)?;
        let size = if dtype == Dtype::F32 { 4 } else { 2 };
        let mut bytes = vec![0; range.len() * size];
        let from = from + (range.start * size) as u64;
        self.file.seek(SeekFrom::Start(from)).map_err(io_error(&self.path))?;
        self.file.read_exact(&mut bytes).map_err(io_error(&self.path))?;
        let pairs = bytes.chunks_exact(2).map(|b| [b[0], b[1]]);
        Ok(match dtype {
            Dtype::BF16 => pairs.map(|b| bf16::from_le_bytes(b).to_f32()).collect(),
            Dtype::F16 => pairs.map(|b| f16::from_le_bytes(b).to_f32()).collect(),
            _ => bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
        })
    }

    /// Where a tensor begins, after checking that its bytes lie in the file and fit its shape.
    fn extent(&self, name: &str, info: &TensorInfo) -> Result<(u64, Dtype), NnError> {
        let size: usize = match info.dtype {
            Dtype::F32 => 4,
            Dtype::F16 | Dtype::BF16 => 2,
            other => {
                let reason = format!("tensor `{name}` is stored as {other:?}; f32, f16 and bf16 are read");
                return Err(file_error(&self.path, reason));
            }
        };
        let (from, to) = info.data_offsets;
        let bytes = info.shape.iter().try_fold(size, |n, &d| n.checked_mul(d));
        if to > self.metadata.data_len() || to.checked_sub(from) != bytes {
            let reason =
                format!("tensor `{name}` has shape {:?} but lies at bytes {from} to {to}", info.shape);
            return Err(file_error(&self.path, reason));
        }
        Ok((self.start + from as u64, info.dtype))
    }
}

impl Weights {
    fn open(dir: &Path) -> Result<Self, NnError> {
        let index = dir.join("model.safetensors.index.json");
        let names = if index.exists() { shard_names(&index)? } else { vec!["model.safetensors".to_owned()] };
        let mut weights = Self { dir: dir.to_owned(), shards: Vec::new(), place: BTreeMap::new() };
        for name in names {
            let shard = Shard::open(dir.join(name))?;
            for tensor in shard.metadata.offset_keys() {
                weights.place.insert(tensor, weights.shards.len());
            }
            weights.shards.push(shard);
        }
        Ok(weights)
    }

    /// Whether a tensor of that name is there.
    pub(super) fn holds(&self, name: &str) -> bool {
        self.place.contains_key(name)
    }

    /// The shard and the name of a tensor, checked. Published GPT-2 files leave out the name of the body.
    fn find(&self, slot: &Slot, family: Option<Family>) -> Result<(usize, String), NnError> {
        let short = slot.name.strip_prefix("transformer.").filter(|_| family == Some(Family::Gpt2));
        let found = [Some(slot.name.as_str()), short].into_iter().flatten();
        match found.filter_map(|name| Some((*self.place.get(name)?, name))).next() {
            Some((at, name)) => {
                self.shards[at].check(name, &slot.shape)?;
                Ok((at, name.to_owned()))
            }
            None => Err(NnError::MissingTensor { path: self.dir.clone(), tensor: slot.name.clone() }),
        }
    }

    /// A tensor that no parameter takes would change the model's meaning, so it is an error; old files carry
    /// rotary tables, masks and copies of a tied head, which say nothing new.
    fn refuse_unknown(
        &self,
        sizes: &Architecture,
        family: Option<Family>,
        slots: &[Slot],
    ) -> Result<(), NnError> {
        let mut known: BTreeSet<&str> = slots.iter().map(|slot| slot.name.as_str()).collect();
        if family == Some(Family::Gpt2) {
            known.extend(slots.iter().filter_map(|slot| slot.name.strip_prefix("transformer.")));
        }
        let masks = |name: &str| name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias");
        let harmless = |name: &str| {
            name.ends_with("rotary_emb.inv_freq")
                || (sizes.tied && name == "lm_head.weight")
                || (family == Some(Family::Gpt2) && masks(name))
        };
        match self.place.iter().find(|(name, _)| !known.contains(name.as_str()) && !harmless(name)) {
            None => Ok(()),
            Some((name, &at)) => {
                let reason =
                    format!("tensor `{name}` belongs to no part of a decoder of {} layers", sizes.layers);
                Err(file_error(&self.shards[at].path, reason))
            }
        }
    }
}

/// The files that an index names, each once, in order; names that leave the folder are refused.
fn shard_names(index: &Path) -> Result<Vec<String>, NnError> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let text = std::fs::read(index).map_err(io_error(index))?;
    let parsed: Index = serde_json::from_slice(&text).map_err(|e| file_error(index, e))?;
    let mut names: Vec<String> = parsed.weight_map.into_values().collect();
    names.sort();
    names.dedup();
    match names.iter().find(|n| n.contains(['/', '\\']) || n.as_str() == "..") {
        Some(name) => Err(file_error(index, format!("`{name}` is not a file name"))),
        None => Ok(names),
    }
}
