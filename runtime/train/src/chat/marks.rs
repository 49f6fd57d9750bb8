//! What lies beside a `tokenizer.json` and says how conversations are written: special tokens and a template.

use std::path::Path;

use llmp_nn::gguf;
use serde_json::Value as Json;

use crate::error::{Result, TrainError};
use crate::folder::Vocabulary;

/// The tokens that a template calls `bos_token` and `eos_token`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) begin: Option<String>,
    pub(super) end: Option<String>,
}

impl Marks {
    /// As `tokenizer_config.json` beside the tokenizer names them, else as tokenizers usually call them.
    pub(super) fn beside(vocabulary: &Vocabulary) -> Result<Marks> {
        let config = config(vocabulary.path())?;
        let named = |name: &str| {
            let value = config.as_ref()?.get(name)?;
            let text = value.get("content").unwrap_or(value);
            text.as_str().map(str::to_owned)
        };
        let usual = |token: Option<(&'static str, u32)>| token.map(|(text, _)| text.to_owned());
        Ok(Marks {
            begin: named("bos_token").or_else(|| usual(vocabulary.begin())),
            end: named("eos_token").or_else(|| usual(vocabulary.end())),
        })
    }
}

/// The file of a chat template, beside `tokenizer.json` or in the folder of a model.
pub const FILE: &str = "chat_template.jinja";

/// The template of a model: in its folder, where the stage that tuned it wrote one, or in its GGUF file, else beside its
/// tokenizer.
pub fn template_of(model: &Path, tokenizer: &Path) -> Result<Option<String>> {
    if model.is_file() {
        let file = std::fs::File::open(model).map_err(TrainError::io("open", model))?;
        let bad = |reason| TrainError::Tokenizer { path: model.to_path_buf(), reason };
        let reader = gguf::Reader::open(std::io::BufReader::new(file)).map_err(bad)?;
        return Ok(reader.get("tokenizer.chat_template").and_then(gguf::Value::as_text).map(str::to_owned));
    }
    let own = own_template(&model.join("tokenizer.json"))?;
    own.map_or_else(|| own_template(tokenizer), |own| Ok(Some(own)))
}

/// The template beside a `tokenizer.json`: `chat_template.jinja`, else that of `tokenizer_config.json`.
pub fn own_template(tokenizer: &Path) -> Result<Option<String>> {
    let path = tokenizer.with_file_name(FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => return Ok(Some(text)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(TrainError::io("read", &path)(e)),
    }
    let Some(config) = config(tokenizer)? else { return Ok(None) };
    // Several templates have names; the one that is used without a name is called `default`.
    let template = match config.get("chat_template") {
        Some(Json::Array(several)) => {
            several.iter().find(|one| one["name"] == "default").and_then(|one| one.get("template"))
        }
        one => one,
    };
    Ok(template.and_then(Json::as_str).map(str::to_owned))
}

/// `tokenizer_config.json` beside a tokenizer, where there is one.
fn config(tokenizer: &Path) -> Result<Option<Json>> {
    let path = tokenizer.with_file_name("tokenizer_config.json");
    match std::fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text)
            .map(Some)
            .map_err(|e| TrainError::Tokenizer { path, reason: e.to_string() }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(TrainError::io("read", &path)(e)),
    }
}
