//! `config.json`: read with every setting either honoured or refused, and written.

mod read;
mod write;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map, Value};

use super::{file_error, io_error};
use crate::spec::Family;
use crate::{Architecture, NnError};

/// `model_type` of a model that no family of transformers can hold.
pub(crate) const OWN: &str = "llmp";

/// Members that say nothing about the arithmetic of a model.
const HARMLESS: &[&str] = &[
    "_name_or_path",
    "architectures",
    "attention_dropout",
    "bos_token_id",
    "cache_implementation",
    "dtype",
    "eos_token_id",
    "finetuning_task",
    "gradient_checkpointing",
    "id2label",
    "initializer_range",
    "label2id",
    "language",
    "model_type",
    "n_ctx",
    "num_labels",
    "output_attentions",
    "output_hidden_states",
    "output_past",
    "output_router_logits",
    "pad_token_id",
    "pretraining_tp",
    "problem_type",
    "return_dict",
    "task_specific_params",
    "tokenizer_class",
    "torch_dtype",
    "transformers_version",
    "unk_token_id",
    "use_cache",
];

/// Reads `config.json` of a folder: the model, and the family whose names its files use (none where the names are
/// ours). Settings that this runtime does not know or cannot honour are errors, never ignored.
pub fn read_config(dir: &Path) -> Result<(Architecture, Option<Family>), NnError> {
    let path = dir.join("config.json");
    let text = std::fs::read_to_string(&path).map_err(io_error(&path))?;
    let value: Value = serde_json::from_str(&text).map_err(|e| file_error(&path, e))?;
    let Value::Object(map) = value else { return Err(file_error(&path, "not a JSON object")) };
    let (sizes, family) = read_map(&map).map_err(|words| file_error(&path, words))?;
    let problems = sizes.validate();
    if problems.is_empty() { Ok((sizes, family)) } else { Err(file_error(&path, problems.join("; "))) }
}

fn read_map(map: &Map<String, Value>) -> Result<(Architecture, Option<Family>), String> {
    let kind = map.get("model_type").and_then(Value::as_str).ok_or("`model_type` is missing")?;
    if kind == OWN {
        let sizes = map.get(OWN).cloned().ok_or_else(|| format!("`{OWN}` is missing"))?;
        let sizes = serde_json::from_value(sizes).map_err(|e| format!("`{OWN}`: {e}"))?;
        return Ok((sizes, None));
    }
    let family = Family::ALL.into_iter().find(|f| f.model_type() == kind).ok_or_else(|| {
        let known: Vec<&str> = Family::ALL.iter().map(|f| f.model_type()).collect();
        format!("`model_type` is \"{kind}\"; {} are known", known.join(", "))
    })?;
    let config = Config { map, asked: RefCell::default() };
    let sizes = read::architecture(family, &config)?;
    config.refuse_unknown()?;
    Ok((sizes, Some(family)))
}

/// Writes `config.json`; `extra` adds members (such as `eos_token_id`) or replaces them.
pub fn write_config(
    dir: &Path,
    sizes: &Architecture,
    dtype: &str,
    extra: &Map<String, Value>,
) -> Result<(), NnError> {
    let path = dir.join("config.json");
    let mut config = match Family::of(sizes) {
        Some(family) => write::members(family, sizes),
        None => {
            let own = serde_json::to_value(sizes).map_err(|e| file_error(&path, e))?;
            [("model_type".to_owned(), OWN.into()), (OWN.to_owned(), own)].into_iter().collect()
        }
    };
    config.insert("torch_dtype".into(), dtype.into());
    config.extend(extra.clone());
    let text = format!("{:#}\n", Value::Object(config));
    std::fs::write(&path, text).map_err(io_error(&path))
}

/// What a folder keeps of an architecture: two that are equal here run alike. Dropout is a setting of training that
/// most families have no member for, and a scale may be written in more than one way.
pub fn as_stored(sizes: &Architecture) -> Architecture {
    let members = Family::of(sizes).map(|family| write::members(family, sizes));
    members.and_then(|map| read_map(&map).ok()).map_or_else(|| sizes.clone(), |(sizes, _)| sizes)
}

/// The members of a `config.json`, and which of them somebody asked for.
struct Config<'a> {
    map: &'a Map<String, Value>,
    asked: RefCell<BTreeSet<String>>,
}

impl<'a> Config<'a> {
    fn get(&self, key: &str) -> Option<&'a Value> {
        self.asked.borrow_mut().insert(key.to_owned());
        self.map.get(key).filter(|v| !v.is_null())
    }

    /// A member with a default; without one it must be there.
    fn read<T>(
        &self,
        key: &str,
        what: &str,
        default: Option<T>,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<T, String> {
        match (self.get(key), default) {
            (Some(value), _) => read(value).ok_or_else(|| format!("`{key}` is {value}, not {what}")),
            (None, Some(default)) => Ok(default),
            (None, None) => Err(format!("`{key}` is missing")),
        }
    }

    fn size(&self, key: &str, default: Option<usize>) -> Result<usize, String> {
        self.read(key, "a size", default, |v| v.as_u64().and_then(|n| usize::try_from(n).ok()))
    }

    fn number(&self, key: &str, default: Option<f64>) -> Result<f64, String> {
        self.read(key, "a number", default, Value::as_f64)
    }

    fn optional(&self, key: &str) -> Result<Option<f64>, String> {
        self.get(key).map(|_| self.number(key, None)).transpose()
    }

    fn flag(&self, key: &str, default: bool) -> Result<bool, String> {
        self.read(key, "true or false", Some(default), Value::as_bool)
    }

    fn text(&self, key: &str, default: &'a str) -> Result<&'a str, String> {
        match self.get(key) {
            None => Ok(default),
            Some(value) => value.as_str().ok_or_else(|| format!("`{key}` is {value}, not a text")),
        }
    }

    /// A member that changes the arithmetic in a way that this runtime has not: only one value of it is accepted.
    fn must_be(&self, key: &str, only: impl Into<Value>) -> Result<(), String> {
        let only = only.into();
        match self.get(key) {
            Some(value) if *value != only => {
                Err(format!("`{key}` is {value}, which this runtime does not have (only {only})"))
            }
            _ => Ok(()),
        }
    }

    fn refuse_unknown(&self) -> Result<(), String> {
        let asked = self.asked.borrow();
        // `null` says that a setting is not there.
        let unknown = self.map.iter().find(|(key, value)| {
            !(value.is_null() || asked.contains(*key) || HARMLESS.contains(&key.as_str()))
        });
        match unknown {
            None => Ok(()),
            Some((key, value)) => Err(format!(
                "`{key}` ({value}) is not known and may change what the model computes; remove it if it does not"
            )),
        }
    }
}
