//! Adapters as PEFT has them: a folder of `adapter_config.json` and `adapter_model.safetensors`.

use std::collections::BTreeMap;
use std::path::Path;

use half::{bf16, f16};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::{Value, json};

use super::{StorageType, file_error, io_error};
use crate::lora::{Lora, Target};
use crate::spec::Family;
use crate::spec::Layers;
use crate::{Architecture, NnError};

const CONFIG: &str = "adapter_config.json";
const TENSORS: &str = "adapter_model.safetensors";

/// The module of transformers that a matrix is. Where no family holds the model, and of GPT-2, whose joined matrices have
/// additions of their own here, it has our name: only this program reads such an adapter.
fn module(family: Option<Family>, path: &str) -> String {
    match family {
        None | Some(Family::Gpt2) => path.to_owned(),
        Some(family) => family.name(path).trim_end_matches(".weight").to_owned(),
    }
}

/// Writes an adapter of a model of these sizes. It does not say where that model is: who loads it names the folder.
pub fn save_adapter(
    folder: &Path,
    sizes: &Architecture,
    lora: &Lora,
    numbers: &[f32],
    dtype: StorageType,
) -> Result<(), NnError> {
    std::fs::create_dir_all(folder).map_err(io_error(folder))?;
    let family = Family::of(sizes);
    let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    let mut modules = Vec::new();
    for (Target { path, outputs, inputs, .. }, a, b) in lora.parts(numbers)? {
        let module = module(family, path);
        let leaf = module.rsplit('.').next().unwrap_or(&module).to_owned();
        if !modules.contains(&leaf) {
            modules.push(leaf);
        }
        for (name, shape, values) in [("A", [lora.rank, *inputs], a), ("B", [*outputs, lora.rank], b)] {
            let name = format!("base_model.model.{module}.lora_{name}.weight");
            tensors.push((name, shape.to_vec(), bytes(values, dtype)));
        }
    }
    let number_type = match dtype {
        StorageType::F32 => Dtype::F32,
        StorageType::Bf16 => Dtype::BF16,
        StorageType::F16 => Dtype::F16,
    };
    let path = folder.join(TENSORS);
    let mut views = Vec::with_capacity(tensors.len());
    for (name, shape, bytes) in &tensors {
        let view = TensorView::new(number_type, shape.clone(), bytes).map_err(|e| file_error(&path, e))?;
        views.push((name, view));
    }
    let metadata = [("format".to_owned(), "pt".to_owned())].into_iter().collect();
    safetensors::serialize_to_file(views, Some(metadata), &path).map_err(|e| file_error(&path, e))?;
    let config = json!({
        "base_model_name_or_path": null, "bias": "none", "fan_in_fan_out": false, "inference_mode": true,
        "lora_alpha": lora.alpha, "lora_dropout": 0.0, "modules_to_save": null, "peft_type": "LORA",
        "r": lora.rank, "target_modules": modules, "task_type": "CAUSAL_LM", "use_dora": false,
        "use_rslora": false,
    });
    let path = folder.join(CONFIG);
    std::fs::write(&path, format!("{config:#}\n")).map_err(io_error(&path))
}

fn bytes(values: &[f32], dtype: StorageType) -> Vec<u8> {
    match dtype {
        StorageType::F32 => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
        StorageType::Bf16 => values.iter().flat_map(|x| bf16::from_f32(*x).to_le_bytes()).collect(),
        StorageType::F16 => values.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes()).collect(),
    }
}

/// The numbers as a file of this type holds them.
pub fn as_written(values: &[f32], dtype: StorageType) -> Vec<f32> {
    match dtype {
        StorageType::F32 => values.to_vec(),
        StorageType::Bf16 => values.iter().map(|x| bf16::from_f32(*x).to_f32()).collect(),
        StorageType::F16 => values.iter().map(|x| f16::from_f32(*x).to_f32()).collect(),
    }
}

/// Reads an adapter for a model of these sizes, with its numbers. Errors: another kind than plain LoRA, tensors that are
/// missing or do not fit.
pub fn load_adapter(folder: &Path, sizes: &Architecture) -> Result<(Lora, Vec<f32>), NnError> {
    let path = folder.join(CONFIG);
    let text = std::fs::read(&path).map_err(io_error(&path))?;
    let config: Value = serde_json::from_slice(&text).map_err(|e| file_error(&path, e))?;
    let is = |name: &str| config.get(name).and_then(Value::as_bool).unwrap_or(false);
    if config.get("peft_type").and_then(Value::as_str) != Some("LORA") || is("use_dora") {
        return Err(file_error(&path, "it is no plain LoRA"));
    }
    for name in ["rank_pattern", "alpha_pattern"] {
        if config.get(name).and_then(Value::as_object).is_some_and(|map| !map.is_empty()) {
            return Err(file_error(&path, format!("`{name}` gives layers ranks of their own")));
        }
    }
    let rank = config.get("r").and_then(Value::as_u64).ok_or_else(|| file_error(&path, "`r` is missing"))?;
    let alpha = config.get("lora_alpha").and_then(Value::as_f64).unwrap_or(rank as f64);
    // With rsLoRA the scale is alpha over the root of the rank.
    let alpha = if is("use_rslora") { alpha * (rank as f64).sqrt() } else { alpha };
    let layers = match config.get("target_modules") {
        Some(Value::Array(names)) => {
            Layers::Named(names.iter().filter_map(|n| n.as_str().map(str::to_owned)).collect())
        }
        Some(Value::String(all)) if all == "all-linear" => Layers::All,
        _ => return Err(file_error(&path, "`target_modules` is no list of names")),
    };
    let lora = Lora::new(sizes, rank as usize, alpha, &layers)?;
    let path = folder.join(TENSORS);
    let data = std::fs::read(&path).map_err(io_error(&path))?;
    let file = SafeTensors::deserialize(&data).map_err(|e| file_error(&path, e))?;
    let mut found: BTreeMap<String, TensorView<'_>> = file.tensors().into_iter().collect();
    let mut numbers = Vec::new();
    for Target { path: of, outputs, inputs, .. } in &lora.targets {
        let module = module(Family::of(sizes), of);
        for (name, shape) in [("A", [lora.rank, *inputs]), ("B", [*outputs, lora.rank])] {
            let name = format!("base_model.model.{module}.lora_{name}.weight");
            let tensor = found.remove(&name);
            let tensor =
                tensor.ok_or_else(|| NnError::MissingTensor { path: path.clone(), tensor: name.clone() })?;
            if tensor.shape() != shape {
                let (found, expected) = (tensor.shape().to_vec(), shape.to_vec());
                return Err(NnError::TensorShape { path, tensor: name, found, expected });
            }
            numbers.extend(
                floats(&tensor).ok_or_else(|| file_error(&path, format!("`{name}` holds no floats")))?,
            );
        }
    }
    match found.keys().next() {
        None => Ok((lora, numbers)),
        Some(name) => Err(file_error(&path, format!("the model has no place for `{name}`"))),
    }
}

fn floats(tensor: &TensorView<'_>) -> Option<Vec<f32>> {
    let data = tensor.data();
    let twos = data.chunks_exact(2).map(|b| [b[0], b[1]]);
    Some(match tensor.dtype() {
        Dtype::F32 => data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
        Dtype::BF16 => twos.map(|b| bf16::from_le_bytes(b).to_f32()).collect(),
        Dtype::F16 => twos.map(|b| f16::from_le_bytes(b).to_f32()).collect(),
        _ => return None,
    })
}
