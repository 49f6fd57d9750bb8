//! Reading weights: safetensors files, whole or sharded, tensor by tensor into f32.

use half::{bf16, f16};
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::names::hugging_face;
use super::{file_error, io_error, read_config};
use crate::kernels::Kernels;
use crate::{Architecture, Model, NnError, ParamInfo};

/// No header of a real model is larger; a bigger number means that the file is something else.
const MAX_HEADER: u64 = 100_000_000;

impl Model {
    /// Reads a Hugging Face folder of a `LlamaForCausalLM` onto the CPU.
    pub fn load(dir: &Path) -> Result<Self, NnError> {
        Self::load_on(dfdx::tensor::Cpu::default(), dir)
    }
}

impl<D: Kernels> Model<D> {
    /// Reads a Hugging Face folder of a `LlamaForCausalLM` onto a device. Stored as f32, f16 or bf16.
    pub fn load_on(device: D, dir: &Path) -> Result<Self, NnError> {
        let spec = read_config(dir)?;
        let mut weights = Weights::open(dir)?;
        let params = spec.params();
        weights.refuse_unknown(&spec, &params)?;
        let mut flat = Vec::with_capacity(weights.capacity(spec.parameters()));
        for info in &params {
            weights.read(info, &mut flat)?;
        }
        Self::from_flat(device, spec, &flat)
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
struct Weights {
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

    /// Appends a tensor's elements.
    fn read(&mut self, name: &str, expected: &[usize], flat: &mut Vec<f32>) -> Result<(), NnError> {
        let Some(info) = self.metadata.info(name) else {
            return Err(NnError::MissingTensor { path: self.path.clone(), tensor: name.into() });
        };
        if info.shape != expected {
            return Err(NnError::TensorShape {
                path: self.path.clone(),
                tensor: name.into(),
                found: info.shape.clone(),
                expected: expected.to_vec(),
            });
        }
        let (from, dtype) = self.extent(name, info)?;
        let size = if dtype == Dtype::F32 { 4 } else { 2 };
        let mut bytes = vec![0; expected.iter().product::<usize>() * size];
        self.file.seek(SeekFrom::Start(from)).map_err(io_error(&self.path))?;
        self.file.read_exact(&mut bytes).map_err(io_error(&self.path))?;
        let pairs = bytes.chunks_exact(2).map(|b| [b[0], b[1]]);
        match dtype {
            Dtype::BF16 => flat.extend(pairs.map(|b| bf16::from_le_bytes(b).to_f32())),
            Dtype::F16 => flat.extend(pairs.map(|b| f16::from_le_bytes(b).to_f32())),
            _ => flat.extend(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))),
        }
        Ok(())
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

    /// No more than the files hold, whatever `config.json` claims.
    fn capacity(&self, parameters: u64) -> usize {
        let bytes: usize = self.shards.iter().map(|s| s.metadata.data_len()).sum();
        (parameters as usize).min(bytes / 2)
    }

    fn read(&mut self, info: &ParamInfo, flat: &mut Vec<f32>) -> Result<(), NnError> {
        let name = hugging_face(&info.name);
        match self.place.get(&name) {
            Some(&at) => self.shards[at].read(&name, &info.shape, flat),
            None => Err(NnError::MissingTensor { path: self.dir.clone(), tensor: name }),
        }
    }

    /// A tensor that no parameter takes would change the model's meaning, so it is an error; old files carry
    /// rotary tables and copies of a tied head, which say nothing new.
    fn refuse_unknown(&self, spec: &Architecture, params: &[ParamInfo]) -> Result<(), NnError> {
        let known: std::collections::BTreeSet<String> =
            params.iter().map(|p| hugging_face(&p.name)).collect();
        let harmless =
            |name: &str| name.ends_with("rotary_emb.inv_freq") || (spec.tied && name == "lm_head.weight");
        match self.place.iter().find(|(name, _)| !known.contains(*name) && !harmless(name)) {
            None => Ok(()),
            Some((name, &at)) => {
                let reason =
                    format!("tensor `{name}` belongs to no part of a decoder of {} layers", spec.layers);
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
