//! A released folder: what other tools load, written whole or not at all.

mod card;

use std::path::Path;

use llmp_nn::{SaveOptions, StorageType};
use llmp_stdlib::Event;
use serde_json::{Map, Value as Json, json};

pub use card::Card;

use crate::durable;
use crate::error::{Result, TrainError};
use crate::folder::{ModelFolder, Vocabulary};
use crate::host::Host;
use crate::settings::Dtype;

/// Writes `to` as a Hugging Face folder: `config.json`, `model.safetensors`, `tokenizer.json`,
/// `tokenizer_config.json`, `generation_config.json` and a model card. A folder that is there is replaced whole.
///
/// `model` is the folder of a finished stage, `tokenizer` the `tokenizer.json` it was trained with.
pub fn release(
    model: &Path,
    tokenizer: &Path,
    card: &Card,
    dtype: Dtype,
    to: &Path,
    host: &Host<'_>,
) -> Result<()> {
    let source = ModelFolder::with_tokenizer(model, tokenizer)?;
    let parent = to.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(TrainError::io("create", parent))?;
    let temporary = durable::hidden(to, "tmp");
    durable::remove_folder(&temporary)?;
    host.at("release: before write");
    let dtype = match dtype {
        Dtype::F32 => StorageType::F32,
        Dtype::Bf16 => StorageType::Bf16,
    };
    source.model.save(&temporary, &SaveOptions { dtype, extra: source.vocabulary.config(), shard: None })?;
    let context = source.model.spec().context;
    let texts = [
        ("tokenizer_config.json", pretty(&tokenizer_config(&source.vocabulary, context))),
        ("generation_config.json", pretty(&Json::Object(source.vocabulary.config()))),
        ("README.md", card.markdown(source.model.spec())),
    ];
    for (name, text) in texts {
        let path = temporary.join(name);
        std::fs::write(&path, text).map_err(TrainError::io("write", &path))?;
    }
    // Bytes, not a copy of the file: a read-only tokenizer would make a read-only release.
    let bytes = std::fs::read(tokenizer).map_err(TrainError::io("read", tokenizer))?;
    let path = temporary.join("tokenizer.json");
    std::fs::write(&path, bytes).map_err(TrainError::io("write", &path))?;
    host.at("release: before sync");
    for entry in std::fs::read_dir(&temporary).map_err(TrainError::io("list", &temporary))? {
        durable::sync_file(&entry.map_err(TrainError::io("list", &temporary))?.path())?;
    }
    durable::sync_folder(&temporary)?;
    durable::replace_folder(&temporary, to, host)?;
    host.tell(Event::Saved { step: host.step.to_owned(), what: to.display().to_string() });
    Ok(())
}

fn pretty(json: &Json) -> String {
    format!("{json:#}\n")
}

/// What `AutoTokenizer` needs beside `tokenizer.json`.
fn tokenizer_config(vocabulary: &Vocabulary, context: usize) -> Json {
    let mut config = Map::new();
    config.insert("tokenizer_class".into(), json!("PreTrainedTokenizerFast"));
    config.insert("model_max_length".into(), json!(context));
    config.insert("clean_up_tokenization_spaces".into(), json!(false));
    for (name, token) in [("bos_token", vocabulary.start()), ("eos_token", vocabulary.end())] {
        if let Some((text, _)) = token {
            config.insert(name.into(), json!(text));
        }
    }
    Json::Object(config)
}
