//! A model folder with its tokenizer: what scoring, generation and release open.

use std::path::{Path, PathBuf};

use llmp_nn::{Model, SaveOptions};
use serde_json::{Map, Value as Json};
use tokenizers::Tokenizer;

use crate::error::{Result, TrainError};

/// Names of end-of-text tokens, in the order in which they are looked for.
const ENDS: &[&str] = &["<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<|im_end|>", "[SEP]"];

/// Names of start-of-text tokens; a tokenizer without one starts texts with its end-of-text token.
const STARTS: &[&str] = &["<|begin_of_text|>", "<s>", "<bos>", "[CLS]"];

/// An open `tokenizer.json`.
#[derive(Debug, Clone)]
pub struct Vocabulary {
    tokenizer: Tokenizer,
    /// The content of its file.
    json: Vec<u8>,
    path: PathBuf,
    ids: usize,
}

impl Vocabulary {
    /// Opens a `tokenizer.json`.
    pub fn load(path: &Path) -> Result<Vocabulary> {
        let bad =
            |e: std::io::Error| TrainError::Tokenizer { path: path.to_path_buf(), reason: e.to_string() };
        Vocabulary::read(path, &std::fs::read(path).map_err(bad)?)
    }

    /// Reads the content of a `tokenizer.json`; `path` is where it came from.
    fn read(path: &Path, bytes: &[u8]) -> Result<Vocabulary> {
        let bad = |reason: String| TrainError::Tokenizer { path: path.to_path_buf(), reason };
        let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(|e| bad(e.to_string()))?;
        // As a plain call of transformers does: nothing is cut or filled up.
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|e| bad(e.to_string()))?;
        let highest = tokenizer.get_vocab(true).into_values().max();
        let ids = highest.map(|id| id as usize + 1).ok_or_else(|| bad("it has no token".to_owned()))?;
        Ok(Vocabulary { tokenizer, json: bytes.to_vec(), path: path.to_path_buf(), ids })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// One more than the largest token id.
    pub fn ids(&self) -> usize {
        self.ids
    }

    /// Token ids of a text, with the special tokens that the file's post-processor adds: what
    /// `AutoTokenizer(text)` of transformers gives.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoded = self.tokenizer.encode_fast(text, true).map_err(|e| self.bad(e))?;
        Ok(encoded.get_ids().to_vec())
    }

    /// Token ids of a piece of text, without special tokens.
    pub fn encode_plain(&self, text: &str) -> Result<Vec<u32>> {
        let encoded = self.tokenizer.encode_fast(text, false).map_err(|e| self.bad(e))?;
        Ok(encoded.get_ids().to_vec())
    }

    /// The text of token ids, special tokens left out.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        self.tokenizer.decode(ids, true).map_err(|e| self.bad(e))
    }

    /// The text of token ids, special tokens by their names.
    pub fn tokens_as_text(&self, ids: &[u32]) -> Result<String> {
        self.tokenizer.decode(ids, false).map_err(|e| self.bad(e))
    }

    /// The end-of-text token.
    pub fn end(&self) -> Option<(&'static str, u32)> {
        self.first_of(ENDS)
    }

    /// The token that starts a text, where the tokenizer has one of its own.
    pub fn begin(&self) -> Option<(&'static str, u32)> {
        self.first_of(STARTS)
    }

    /// The tokenizer itself.
    pub(crate) fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The token that starts a text: its own one, else the end-of-text token, after which every document was trained.
    pub fn start(&self) -> Option<(&'static str, u32)> {
        self.begin().or_else(|| self.end())
    }

    /// `bos_token_id` and `eos_token_id` for `config.json`.
    pub(crate) fn config(&self) -> Map<String, Json> {
        let named = [("bos_token_id", self.start()), ("eos_token_id", self.end())];
        named
            .into_iter()
            .filter_map(|(name, token)| token.map(|(_, id)| (name.to_owned(), id.into())))
            .collect()
    }

    fn first_of(&self, names: &[&'static str]) -> Option<(&'static str, u32)> {
        names.iter().find_map(|name| self.tokenizer.token_to_id(name).map(|id| (*name, id)))
    }

    fn bad(&self, reason: impl std::fmt::Display) -> TrainError {
        TrainError::Tokenizer { path: self.path.clone(), reason: reason.to_string() }
    }
}

/// What belongs to a model in its folder.
const PARTS: &[&str] = &[
    "config.json",
    "generation_config.json",
    "model.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
];

/// Copies what belongs to a model out of a folder that others wrote, once it has been read whole; a GGUF file becomes
/// such a folder. Errors: it is not a model that this runtime reads.
pub fn take(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).map_err(TrainError::io("create", to))?;
    if from.is_file() {
        let source = ModelFolder::open(from)?;
        let extra = source.vocabulary.config();
        source.model.save(to, &SaveOptions { extra, ..SaveOptions::default() })?;
        let path = to.join("tokenizer.json");
        return std::fs::write(&path, &source.vocabulary.json).map_err(TrainError::io("write", &path));
    }
    Model::load(from)?;
    for entry in std::fs::read_dir(from).map_err(TrainError::io("list", from))? {
        let entry = entry.map_err(TrainError::io("list", from))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if PARTS.contains(&name.as_str()) || name.ends_with(".safetensors") {
            std::fs::copy(entry.path(), to.join(&name)).map_err(TrainError::io("copy", &entry.path()))?;
        }
    }
    Ok(())
}

/// A model with its tokenizer.
#[derive(Debug)]
pub struct ModelFolder {
    /// The model.
    pub model: Model,
    /// Its tokenizer.
    pub vocabulary: Vocabulary,
    /// Tokens that end a generated text.
    pub ends: Vec<u32>,
}

impl ModelFolder {
    /// Opens a Hugging Face folder with its `tokenizer.json`, or a GGUF file.
    pub fn open(path: &Path) -> Result<ModelFolder> {
        if path.is_file() {
            return Self::of_file(path);
        }
        Self::with_tokenizer(path, &path.join("tokenizer.json"))
    }

    /// Opens a GGUF file, whose tokenizer is inside.
    fn of_file(path: &Path) -> Result<ModelFolder> {
        let bad = |reason: String| TrainError::Tokenizer { path: path.to_path_buf(), reason };
        let file = std::fs::File::open(path).map_err(TrainError::io("open", path))?;
        let reader = llmp_nn::gguf::Reader::open(std::io::BufReader::new(file)).map_err(bad)?;
        let json = crate::gguf::tokenizer(reader.metadata()).map_err(bad)?;
        let vocabulary = Vocabulary::read(path, json.to_string().as_bytes())?;
        let end = reader.get("tokenizer.ggml.eos_token_id").and_then(llmp_nn::gguf::Value::as_u64);
        let ends = end.and_then(|id| u32::try_from(id).ok()).into_iter().collect();
        Ok(ModelFolder { model: Model::load(path)?, vocabulary, ends })
    }

    /// Opens a model folder with a tokenizer from elsewhere: a stage's result holds none.
    pub fn with_tokenizer(folder: &Path, tokenizer: &Path) -> Result<ModelFolder> {
        let vocabulary = Vocabulary::load(tokenizer)?;
        let model = Model::load(folder)?;
        if vocabulary.ids() > model.spec().vocab {
            let (ids, vocab) = (vocabulary.ids(), model.spec().vocab);
            return Err(vocabulary.bad(format!("it has {ids} ids, the model's vocabulary {vocab}")));
        }
        let mut ends = end_ids(&folder.join("generation_config.json"));
        if ends.is_empty() {
            ends = end_ids(&folder.join("config.json"));
        }
        if ends.is_empty() {
            ends.extend(vocabulary.end().map(|(_, id)| id));
        }
        Ok(ModelFolder { model, vocabulary, ends })
    }
}

/// `eos_token_id` of a configuration: one or several; none where the file or the member is not there.
fn end_ids(path: &Path) -> Vec<u32> {
    let json: Option<Json> = std::fs::read(path).ok().and_then(|text| serde_json::from_slice(&text).ok());
    let member = json.as_ref().and_then(|j| j.get("eos_token_id"));
    let one = |value: &Json| value.as_u64().and_then(|id| u32::try_from(id).ok());
    match member {
        Some(Json::Array(items)) => items.iter().filter_map(one).collect(),
        Some(value) => one(value).into_iter().collect(),
        None => Vec::new(),
    }
}
