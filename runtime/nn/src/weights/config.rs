//! `config.json` of a Llama-style model: read with every unsupported setting refused, and written.

use serde_json::{Map, Value, json};
use std::path::Path;

use super::{file_error, io_error};
use crate::spec::{FeedForward, NormForm, Order, Rotary, Stretch};
use crate::{Architecture, NnError};

/// Reads `config.json` of a folder. Settings that this decoder cannot honour are errors, never ignored.
pub fn read_config(dir: &Path) -> Result<Architecture, NnError> {
    let path = dir.join("config.json");
    let text = std::fs::read_to_string(&path).map_err(io_error(&path))?;
    let value: Value = serde_json::from_str(&text).map_err(|e| file_error(&path, e))?;
    let Value::Object(map) = value else { return Err(file_error(&path, "not a JSON object")) };
    let config = Config { path: &path, map: &map };
    config.refuse_unsupported()?;
    let heads = config.size("num_attention_heads", None)?;
    let width = config.size("hidden_size", None)?;
    let derived = (heads > 0 && width.is_multiple_of(heads)).then(|| width / heads);
    let plain = Architecture::default();
    let spec = Architecture {
        vocab: config.size("vocab_size", None)?,
        layers: config.size("num_hidden_layers", None)?,
        width,
        heads,
        kv_heads: config.size("num_key_value_heads", Some(heads))?,
        head_dim: config.size("head_dim", derived)?,
        ffn: FeedForward { hidden: config.size("intermediate_size", None)?, ..plain.ffn },
        norm: NormForm { eps: config.number("rms_norm_eps", 1e-6)?, ..plain.norm },
        order: Order::Rotary(Rotary { base: config.rope_base()?, stretch: Stretch::None, chunks: None }),
        tied: config.flag("tie_word_embeddings")?,
        context: config.size("max_position_embeddings", Some(2048))?,
        init_std: config.number("initializer_range", 0.02)?,
        ..plain
    };
    let problems = spec.validate();
    if problems.is_empty() { Ok(spec) } else { Err(file_error(&path, problems.join("; "))) }
}

/// Writes `config.json`; `extra` adds members (such as `eos_token_id`) or replaces them.
pub fn write_config(
    dir: &Path,
    spec: &Architecture,
    dtype: &str,
    extra: &Map<String, Value>,
) -> Result<(), NnError> {
    let unknown = || file_error(dir, "only Llama-style models are written in this version");
    let Order::Rotary(Rotary { base, .. }) = spec.order else { return Err(unknown()) };
    if !spec.lacks().is_empty() {
        return Err(unknown());
    }
    let mut config = json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": spec.width,
        "intermediate_size": spec.ffn.hidden,
        "num_hidden_layers": spec.layers,
        "num_attention_heads": spec.heads,
        "num_key_value_heads": spec.kv_heads,
        "head_dim": spec.head_dim,
        "vocab_size": spec.vocab,
        "max_position_embeddings": spec.context,
        "rms_norm_eps": spec.norm.eps,
        // Both spellings: transformers 4 reads the first, transformers 5 the second.
        "rope_theta": base,
        "rope_parameters": { "rope_type": "default", "rope_theta": base },
        "attention_bias": false,
        "mlp_bias": false,
        "tie_word_embeddings": spec.tied,
        "initializer_range": spec.init_std,
        "torch_dtype": dtype,
    });
    if let Value::Object(map) = &mut config {
        map.extend(extra.clone());
    }
    let path = dir.join("config.json");
    std::fs::write(&path, format!("{config:#}\n")).map_err(io_error(&path))
}

struct Config<'a> {
    path: &'a Path,
    map: &'a Map<String, Value>,
}

impl Config<'_> {
    fn get(&self, key: &str) -> Option<&Value> {
        self.map.get(key).filter(|v| !v.is_null())
    }

    fn size(&self, key: &str, default: Option<usize>) -> Result<usize, NnError> {
        match (self.get(key), default) {
            (None, Some(default)) => Ok(default),
            (None, None) => Err(file_error(self.path, format!("`{key}` is missing"))),
            (Some(value), _) => value
                .as_u64()
                .and_then(|n| usize::try_from(n).ok())
                .ok_or_else(|| file_error(self.path, format!("`{key}` is {value}, not a size"))),
        }
    }

    fn number(&self, key: &str, default: f64) -> Result<f64, NnError> {
        match self.get(key) {
            None => Ok(default),
            Some(v) => {
                v.as_f64().ok_or_else(|| file_error(self.path, format!("`{key}` is {v}, not a number")))
            }
        }
    }

    fn flag(&self, key: &str) -> Result<bool, NnError> {
        match self.get(key) {
            None => Ok(false),
            Some(v) => {
                v.as_bool().ok_or_else(|| file_error(self.path, format!("`{key}` is {v}, not true or false")))
            }
        }
    }

    /// The base stands at the top (transformers 4) or in `rope_parameters` (transformers 5).
    fn rope_base(&self) -> Result<f64, NnError> {
        let mut base = self.number("rope_theta", 10_000.0)?;
        for key in ["rope_parameters", "rope_scaling"] {
            let Some(Value::Object(map)) = self.get(key) else { continue };
            let kind = map.get("rope_type").or_else(|| map.get("type")).and_then(Value::as_str);
            if kind.is_some_and(|kind| kind != "default") {
                let reason = format!(
                    "`{key}` asks for {}, only default rotary positions are known",
                    kind.unwrap_or("?")
                );
                return Err(file_error(self.path, reason));
            }
            base = Config { path: self.path, map }.number("rope_theta", base)?;
        }
        Ok(base)
    }

    fn refuse_unsupported(&self) -> Result<(), NnError> {
        let must_be = [("model_type", "llama"), ("hidden_act", "silu")];
        for (key, want) in must_be {
            if let Some(value) = self.get(key)
                && value.as_str() != Some(want)
            {
                return Err(file_error(self.path, format!("`{key}` is {value}, only \"{want}\" is known")));
            }
        }
        for key in ["attention_bias", "mlp_bias"] {
            if self.flag(key)? {
                return Err(file_error(
                    self.path,
                    format!("`{key}` is true, which this decoder does not have"),
                ));
            }
        }
        for key in ["quantization_config", "sliding_window"] {
            if let Some(value) = self.get(key) {
                return Err(file_error(
                    self.path,
                    format!("`{key}` is {value}, which this decoder does not have"),
                ));
            }
        }
        Ok(())
    }
}
