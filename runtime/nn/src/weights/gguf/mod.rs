//! Models as one GGUF file for llama.cpp, written and read: llama, qwen2 and gemma2.

mod metadata;

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;

use super::slots::{self, Slot};
use super::{file_error, io_error};
use crate::gguf::{self, Metadata, Pending, Reader, Storage};
use crate::kernels::Kernels;
use crate::{Architecture, Model, NnError};

/// What a GGUF file says beyond the weights.
#[derive(Clone, Debug, PartialEq)]
pub struct GgufOptions {
    /// How matrices are stored. In a file of Q4_0 the embedding and the head are Q8_0; rows that are no multiple of
    /// a block are F16; gains and biases are always F32.
    pub storage: Storage,
    /// The model's name.
    pub name: String,
    /// Further metadata: the tokenizer.
    pub metadata: Metadata,
}

impl<D: Kernels> Model<D> {
    /// Writes the model as one file: [`save_gguf`].
    pub fn save_gguf(&self, path: &Path, options: &GgufOptions) -> Result<(), NnError> {
        save_gguf(path, &self.spec, &self.to_flat(), options)
    }
}

/// Writes a model as one file. Errors: what llama.cpp cannot run. Not atomic, as [`super::save`].
pub fn save_gguf(
    path: &Path,
    sizes: &Architecture,
    flat: &[f32],
    options: &GgufOptions,
) -> Result<(), NnError> {
    let bad = |words: String| file_error(path, words);
    let family = metadata::family(sizes).map_err(bad)?;
    let mut all = metadata::write(family, sizes, options.storage, &options.name);
    all.extend(options.metadata.iter().cloned());
    let slots = slots::gguf(family, sizes);
    let mut tensors: Vec<Pending<'_>> =
        slots.iter().map(|slot| pending(slot, options.storage, flat)).collect();
    if let Some(factors) = metadata::frequency_factors(sizes) {
        tensors.push(Pending {
            name: metadata::FACTORS.to_owned(),
            shape: vec![factors.len()],
            storage: Storage::F32,
            values: Box::new(move || factors.clone()),
        });
    }
    let file = File::create(path).map_err(io_error(path))?;
    gguf::write(&mut BufWriter::new(file), &all, &tensors).map_err(io_error(path))
}

fn pending<'a>(slot: &'a Slot, wanted: Storage, flat: &'a [f32]) -> Pending<'a> {
    let table = slot.name.starts_with("token_embd") || slot.name.starts_with("output.");
    let storage = match (slot.shape.as_slice(), wanted) {
        ([_], _) => Storage::F32,
        (_, Storage::Q4 | Storage::Q41) if table => Storage::Q8,
        _ => wanted,
    };
    let row = slot.shape.last().copied().unwrap_or(1);
    let fits = storage.bytes(slot.count(), row).is_some();
    Pending {
        name: slot.name.clone(),
        shape: slot.shape.clone(),
        storage: if fits { storage } else { Storage::F16 },
        values: Box::new(move || slot.pack(flat).into_owned()),
    }
}

/// The model of a file and all its numbers in canonical order.
pub(super) fn read(path: &Path) -> Result<(Architecture, Vec<f32>), NnError> {
    let bad = |words: String| file_error(path, words);
    let file = File::open(path).map_err(io_error(path))?;
    let mut reader = Reader::open(BufReader::new(file)).map_err(bad)?;
    let (family, sizes) = metadata::read(&mut reader).map_err(bad)?;
    let problems = sizes.validate();
    if !problems.is_empty() {
        return Err(bad(problems.join("; ")));
    }
    let slots = slots::gguf(family, &sizes);
    let known = |name: &str| name == metadata::FACTORS || slots.iter().any(|slot| slot.name == name);
    if let Some(name) = reader.names().find(|name| !known(name)) {
        return Err(bad(format!("tensor `{name}` belongs to no part of this {}", family.model_type())));
    }
    for slot in &slots {
        let missing = || NnError::MissingTensor { path: path.to_owned(), tensor: slot.name.clone() };
        let found = reader.shape(&slot.name).ok_or_else(missing)?;
        if found != slot.shape {
            let (found, expected) = (found.to_vec(), slot.shape.clone());
            return Err(NnError::TensorShape {
                path: path.to_owned(),
                tensor: slot.name.clone(),
                found,
                expected,
            });
        }
    }
    let mut flat = vec![0.0; slots.iter().map(Slot::count).sum()];
    for slot in &slots {
        slot.unpack(reader.read(&slot.name).map_err(bad)?, &mut flat);
    }
    Ok((sizes, flat))
}
