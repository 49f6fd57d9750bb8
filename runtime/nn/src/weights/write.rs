//! Writing weights as safetensors, in one file or in shards with their index.

use half::{bf16, f16};
use safetensors::{Dtype, View};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use super::slots::{self, Slot};
use super::{file_error, io_error, write_config};
use crate::kernels::Kernels;
use crate::spec::Family;
use crate::{Architecture, Model, NnError};

/// How numbers are stored in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StorageType {
    /// Four bytes, exact.
    #[default]
    F32,
    /// Two bytes with a wide range, rounded to nearest even.
    Bf16,
    /// Two bytes with a narrow range, rounded to nearest even.
    F16,
}

impl StorageType {
    fn bytes(self) -> usize {
        if self == StorageType::F32 { 4 } else { 2 }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            StorageType::F32 => "float32",
            StorageType::Bf16 => "bfloat16",
            StorageType::F16 => "float16",
        }
    }
}

/// What a saved folder says beyond the weights.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SaveOptions {
    /// How numbers are stored.
    pub dtype: StorageType,
    /// Further members of `config.json`, such as `bos_token_id` and `eos_token_id`.
    pub extra: Map<String, Value>,
    /// Most bytes of tensors in a file; without it there is one file. A larger tensor has a file of its own.
    pub shard: Option<u64>,
}

impl<D: Kernels> Model<D> {
    /// Writes the model as a folder: [`save`].
    pub fn save(&self, dir: &Path, options: &SaveOptions) -> Result<(), NnError> {
        save(dir, &self.spec, &self.to_flat(), options)
    }
}

/// Writes `config.json` and `model.safetensors` (or its shards and their index) to a folder (made when absent), as
/// the family of transformers that holds this model has them ([`Family::nearest`]). Where none does, the folder has
/// our names and only this program reads it. `flat` are all numbers of the model in canonical order.
/// Not atomic: callers that share the folder write to a temporary one and rename it.
pub fn save(dir: &Path, sizes: &Architecture, flat: &[f32], options: &SaveOptions) -> Result<(), NnError> {
    save_each(dir, sizes, options, &mut |slot| Ok(slot.pack(flat)))
}

/// The numbers of a tensor, as the file has them.
pub(super) type Numbers<'n, 'f, E> = &'n mut dyn FnMut(&Slot) -> Result<Cow<'f, [f32]>, E>;

/// [`save`] with tensors that are made when they are written, each once.
pub(super) fn save_each<E: From<NnError>>(
    dir: &Path,
    sizes: &Architecture,
    options: &SaveOptions,
    numbers: Numbers<'_, '_, E>,
) -> Result<(), E> {
    std::fs::create_dir_all(dir).map_err(io_error(dir))?;
    write_config(dir, sizes, options.dtype.name(), &options.extra)?;
    write_tensors(dir, &slots::folder(Family::of(sizes), sizes), options, numbers)
}

/// Writes tensors to `model.safetensors`, or to shards with their index.
pub(super) fn write_tensors<E: From<NnError>>(
    dir: &Path,
    slots: &[Slot],
    options: &SaveOptions,
    numbers: Numbers<'_, '_, E>,
) -> Result<(), E> {
    let shards = shards(slots, options.dtype.bytes() as u64, options.shard.unwrap_or(u64::MAX));
    let count = shards.len();
    let file = |at: usize| match count {
        1 => "model.safetensors".to_owned(),
        _ => format!("model-{:05}-of-{count:05}.safetensors", at + 1),
    };
    let mut places = BTreeMap::new();
    // A view cannot fail: what went wrong is kept, and nothing is made after it.
    let source = RefCell::new((numbers, None));
    for (at, shard) in shards.iter().enumerate() {
        let saved = |slot| Saved { slot, source: &source, dtype: options.dtype };
        let tensors = shard.iter().map(|slot| (slot.name.clone(), saved(slot)));
        let metadata = [("format".to_owned(), "pt".to_owned())].into_iter().collect();
        let path = dir.join(file(at));
        safetensors::serialize_to_file(tensors, Some(metadata), &path).map_err(|e| file_error(&path, e))?;
        if let Some(failure) = source.borrow_mut().1.take() {
            return Err(failure);
        }
        places.extend(shard.iter().map(|slot| (slot.name.clone(), file(at))));
    }
    if count == 1 {
        return Ok(());
    }
    let total = slots.iter().map(Slot::count).sum::<usize>() * options.dtype.bytes();
    let index = json!({ "metadata": { "total_size": total }, "weight_map": places });
    let path = dir.join("model.safetensors.index.json");
    Ok(std::fs::write(&path, format!("{index:#}\n")).map_err(io_error(&path))?)
}

/// The tensors of each file, in order.
fn shards(slots: &[Slot], bytes: u64, most: u64) -> Vec<Vec<&Slot>> {
    let (mut all, mut filled) = (vec![Vec::new()], 0u64);
    for slot in slots {
        let size = slot.count() as u64 * bytes;
        if filled > 0 && filled + size > most {
            all.push(Vec::new());
            filled = 0;
        }
        filled += size;
        if let Some(last) = all.last_mut() {
            last.push(slot);
        }
    }
    all
}

/// Where tensors come from, and what went wrong there.
type Source<'n, 'f, E> = RefCell<(Numbers<'n, 'f, E>, Option<E>)>;

struct Saved<'a, 'n, 'f, E> {
    slot: &'a Slot,
    source: &'a Source<'n, 'f, E>,
    dtype: StorageType,
}

impl<E> View for Saved<'_, '_, '_, E> {
    fn dtype(&self) -> Dtype {
        match self.dtype {
            StorageType::F32 => Dtype::F32,
            StorageType::Bf16 => Dtype::BF16,
            StorageType::F16 => Dtype::F16,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.slot.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let (numbers, failure) = &mut *self.source.borrow_mut();
        let made =
            if failure.is_none() { numbers(self.slot).map_err(|e| *failure = Some(e)) } else { Err(()) };
        let values = made.unwrap_or_else(|()| Cow::Owned(vec![0.0; self.slot.count()]));
        let values = values.iter();
        let bytes = match self.dtype {
            StorageType::F32 => values.flat_map(|x| x.to_le_bytes()).collect(),
            StorageType::Bf16 => values.flat_map(|&x| bf16::from_f32(x).to_le_bytes()).collect(),
            StorageType::F16 => values.flat_map(|&x| f16::from_f32(x).to_le_bytes()).collect(),
        };
        Cow::Owned(bytes)
    }

    fn data_len(&self) -> usize {
        self.slot.count() * self.dtype.bytes()
    }
}
