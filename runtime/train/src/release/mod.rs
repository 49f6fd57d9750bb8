//! A released folder: what other tools load, written whole or not at all.

mod card;

use std::path::Path;

use llmp_nn::gguf::Storage;
use llmp_nn::weights::GgufOptions;
use llmp_nn::{SaveOptions, StorageType};
use llmp_stdlib::Event;
use serde_json::{Map, Value as Json, json};

pub use card::Card;

use crate::chat::{self, Chat};
use crate::durable;
use crate::error::{Result, TrainError};
use crate::folder::{ModelFolder, Vocabulary};
use crate::gguf;
use crate::host::Host;
use crate::kinds::Written;
use crate::settings::{Dtype, FileFormat, GgufType};

/// Writes `to` as a folder with what is asked for: a Hugging Face folder (`config.json`, `model.safetensors`,
/// `tokenizer.json`, `tokenizer_config.json`, `generation_config.json`, a chat template where there is one), GGUF
/// files, and a model card. A folder that is there is replaced whole.
///
/// `model` is the folder of a finished stage, `tokenizer` the `tokenizer.json` it was trained with.
pub fn release(
    model: &Path,
    tokenizer: &Path,
    card: &Card,
    written: &Written,
    to: &Path,
    host: &Host<'_>,
) -> Result<()> {
    let source = ModelFolder::with_tokenizer(model, tokenizer)?;
    let parent = to.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(TrainError::io("create", parent))?;
    let temporary = durable::hidden(to, "tmp");
    durable::remove_folder(&temporary)?;
    std::fs::create_dir_all(&temporary).map_err(TrainError::io("create", &temporary))?;
    host.at("release: before write");
    // Bytes, not a copy of the file: a read-only tokenizer would make a read-only release.
    let bytes = std::fs::read(tokenizer).map_err(TrainError::io("read", tokenizer))?;
    let template = chat::template_of(model, tokenizer)?;
    if written.formats.safetensors {
        folder(&source, &bytes, template.as_deref(), written, &temporary)?;
    }
    for FileFormat::Gguf(gguf) in &written.formats.files {
        let path = temporary.join(format!("{}-{}.gguf", card.name, gguf.r#type.name()));
        let options = gguf_options(&source, &bytes, template.clone(), &card.name, gguf.r#type)?;
        source.model.save_gguf(&path, &options)?;
    }
    let path = temporary.join("README.md");
    std::fs::write(&path, card.markdown(source.model.spec())).map_err(TrainError::io("write", &path))?;
    host.at("release: before sync");
    for entry in std::fs::read_dir(&temporary).map_err(TrainError::io("list", &temporary))? {
        durable::sync_file(&entry.map_err(TrainError::io("list", &temporary))?.path())?;
    }
    durable::sync_folder(&temporary)?;
    durable::replace_folder(&temporary, to, host)?;
    host.tell(Event::Saved { step: host.step.to_owned(), what: to.display().to_string() });
    Ok(())
}

/// Weights, configuration and tokenizer as transformers reads them.
fn folder(
    source: &ModelFolder,
    tokenizer: &[u8],
    template: Option<&str>,
    written: &Written,
    to: &Path,
) -> Result<()> {
    let dtype = match written.dtype {
        Dtype::F32 => StorageType::F32,
        Dtype::Bf16 => StorageType::Bf16,
        Dtype::F16 => StorageType::F16,
    };
    let mut config = tokenizer_config(&source.vocabulary, source.model.spec().context);
    let mut generation = source.vocabulary.config();
    // Where there is a template, what ends an answer ends a text: for tools that know one end only, and for those that know several.
    if let Some(template) = template {
        config.insert("chat_template".into(), json!(template));
        if let Ok(chat) = Chat::new(template, &source.vocabulary) {
            config.insert("eos_token".into(), json!(source.vocabulary.tokens_as_text(&[chat.end()])?));
            generation.insert("eos_token_id".into(), json!(chat.stops()));
        }
    }
    let extra = generation.clone();
    source.model.save(to, &SaveOptions { dtype, extra, shard: written.shard })?;
    let (config, generation) = (pretty(&Json::Object(config)), pretty(&Json::Object(generation)));
    let files = [
        ("tokenizer.json", Some(tokenizer)),
        ("tokenizer_config.json", Some(config.as_bytes())),
        ("generation_config.json", Some(generation.as_bytes())),
        (chat::FILE, template.map(str::as_bytes)),
    ];
    for (name, bytes) in files {
        let path = to.join(name);
        if let Some(bytes) = bytes {
            std::fs::write(&path, bytes).map_err(TrainError::io("write", &path))?;
        }
    }
    Ok(())
}

/// How a GGUF file is written, with the tokenizer in it.
fn gguf_options(
    source: &ModelFolder,
    tokenizer: &[u8],
    template: Option<String>,
    name: &str,
    kind: GgufType,
) -> Result<GgufOptions> {
    let bad = |reason: String| TrainError::Tokenizer { path: source.vocabulary.path().to_owned(), reason };
    let json: Json = serde_json::from_slice(tokenizer).map_err(|e| bad(e.to_string()))?;
    let id = |token: Option<(&str, u32)>| token.map(|(_, id)| id);
    let (begin, end) = (id(source.vocabulary.start()), id(source.vocabulary.end()));
    let around = gguf::Around { begin, end, template };
    let metadata = gguf::metadata(&json, source.model.spec().vocab, &around).map_err(bad)?;
    let storage = match kind {
        GgufType::F32 => Storage::F32,
        GgufType::F16 => Storage::F16,
        GgufType::Q8 => Storage::Q8,
        GgufType::Q4 => Storage::Q4,
    };
    Ok(GgufOptions { storage, name: name.to_owned(), metadata })
}

fn pretty(json: &Json) -> String {
    format!("{json:#}\n")
}

/// What `AutoTokenizer` needs beside `tokenizer.json`.
fn tokenizer_config(vocabulary: &Vocabulary, context: usize) -> Map<String, Json> {
    let mut config = Map::new();
    config.insert("tokenizer_class".into(), json!("PreTrainedTokenizerFast"));
    config.insert("model_max_length".into(), json!(context));
    config.insert("clean_up_tokenization_spaces".into(), json!(false));
    for (name, token) in [("bos_token", vocabulary.start()), ("eos_token", vocabulary.end())] {
        if let Some((text, _)) = token {
            config.insert(name.into(), json!(text));
        }
    }
    config
}
