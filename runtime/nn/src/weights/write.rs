//! Writing weights as one safetensors file.

use half::bf16;
use safetensors::{Dtype, View};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::path::Path;

use super::names::hugging_face;
use super::{file_error, io_error, write_config};
use crate::kernels::Kernels;
use crate::{Model, NnError};

/// How numbers are stored in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StorageType {
    /// Four bytes, exact.
    #[default]
    F32,
    /// Two bytes, rounded to nearest even.
    Bf16,
}

/// What a saved folder says beyond the weights.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SaveOptions {
    /// How numbers are stored.
    pub dtype: StorageType,
    /// Further members of `config.json`, such as `bos_token_id` and `eos_token_id`.
    pub extra: Map<String, Value>,
}

impl<D: Kernels> Model<D> {
    /// Writes `config.json` and `model.safetensors` of a `LlamaForCausalLM` to a folder (made when absent).
    /// Not atomic: callers that share the folder write to a temporary one and rename it.
    pub fn save(&self, dir: &Path, options: &SaveOptions) -> Result<(), NnError> {
        std::fs::create_dir_all(dir).map_err(io_error(dir))?;
        let dtype = match options.dtype {
            StorageType::F32 => "float32",
            StorageType::Bf16 => "bfloat16",
        };
        write_config(dir, &self.spec, dtype, &options.extra)?;
        let flat = self.to_flat();
        let mut rest = flat.as_slice();
        let mut tensors = Vec::new();
        for info in self.spec.params() {
            let (values, tail) = rest.split_at(info.count());
            tensors
                .push((hugging_face(&info.name), Saved { values, shape: info.shape, dtype: options.dtype }));
            rest = tail;
        }
        let path = dir.join("model.safetensors");
        let metadata = [("format".to_owned(), "pt".to_owned())].into_iter().collect();
        safetensors::serialize_to_file(tensors, Some(metadata), &path).map_err(|e| file_error(&path, e))
    }
}

struct Saved<'a> {
    values: &'a [f32],
    shape: Vec<usize>,
    dtype: StorageType,
}

impl View for Saved<'_> {
    fn dtype(&self) -> Dtype {
        match self.dtype {
            StorageType::F32 => Dtype::F32,
            StorageType::Bf16 => Dtype::BF16,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let bytes = match self.dtype {
            StorageType::F32 => self.values.iter().flat_map(|x| x.to_le_bytes()).collect(),
            StorageType::Bf16 => self.values.iter().flat_map(|&x| bf16::from_f32(x).to_le_bytes()).collect(),
        };
        Cow::Owned(bytes)
    }

    fn data_len(&self) -> usize {
        match self.dtype {
            StorageType::F32 => self.values.len() * 4,
            StorageType::Bf16 => self.values.len() * 2,
        }
    }
}
