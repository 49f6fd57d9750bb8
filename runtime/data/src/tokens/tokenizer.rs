//! Tokenizers: byte-level BPE training, `tokenizer.json` files, text to ids and back.

use std::{fs, path::Path, path::PathBuf};

use llmp_stdlib::{
    Problem,
    arg::{DocsRef, FilePath},
};
use tokenizers::{
    AddedToken, DecoderWrapper, PostProcessorWrapper, PreTokenizerWrapper, SplitDelimiterBehavior,
    models::{
        TrainerWrapper,
        bpe::{BPE, BpeTrainer},
    },
    pre_tokenizers::{
        byte_level::ByteLevel,
        sequence::Sequence,
        split::{Split, SplitPattern},
    },
};

use crate::{
    context::Context,
    engine,
    error::{DataError, Result},
    templates::Template,
};

/// The token at the end of each document, in tokenizers trained here.
pub const END_OF_TEXT: &str = "<|endoftext|>";

/// How text is cut before merges (Llama 3's pattern): words with a leading space, up to three digits, punctuation.
const PATTERN: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Names under which published tokenizers keep the end of a text, the likelier first.
const ENDS: &[&str] = &[END_OF_TEXT, "<|end_of_text|>", "</s>", "<eos>", "<|im_end|>", "[SEP]"];
/// Likewise the beginning.
const BEGINS: &[&str] = &["<|begin_of_text|>", "<s>", "<bos>", "[CLS]"];

llmp_stdlib::def! {
    /// Trains a byte-level BPE tokenizer (Sennrich et al. 2016; Radford et al. 2019) and writes it as `tokenizer.json`.
    ///
    /// Any text can be written with it and read back unchanged. Text is cut by the pattern of Llama 3 before merges.
    /// Token 0 is `<|endoftext|>`; the vocabulary can come out smaller than asked for when the text has nothing left to
    /// merge.
    ///
    /// ```llmp
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// ```
    Bpe = "bpe", rev 1, check large_enough {
        /// Documents that the merges are learnt from.
        train_on: DocsRef,
        /// Number of tokens, the 256 bytes and the end of text included.
        @binary vocab: u64,
        /// Chat template. The marks of one that is named, such as `<|im_start|>`, become tokens.
        template: Option<Template> = "none",
    }
}

/// Tokens that stand for no text: the end of a text, and what the template marks turns with.
fn special(it: &Bpe) -> Vec<&'static str> {
    let marks = if let Some(Template::Known(known)) = &it.template { known.marks() } else { &[] };
    [END_OF_TEXT].into_iter().chain(marks.iter().copied()).collect()
}

fn large_enough(it: &Bpe) -> Vec<Problem> {
    let fewest = 256 + special(it).len() as u64;
    if (fewest..=1 << 22).contains(&it.vocab) {
        return Vec::new();
    }
    let what = if fewest == 257 { "the end of text" } else { "the special tokens" };
    let message =
        format!("bpe: `vocab` is {}, must be {fewest} (256 bytes and {what}) to 4,194,304", it.vocab);
    vec![Problem::error("LLMP0209", "vocab", message)]
}

llmp_stdlib::def! {
    /// A tokenizer out of a `tokenizer.json` file, as Hugging Face tools write it.
    ///
    /// ```llmp
    /// tokenizer tok = tokenizer_file("models/llama/tokenizer.json")
    /// ```
    TokenizerFile = "tokenizer_file", rev 1 {
        /// The file.
        path: FilePath,
        /// Chat template; `none` takes the one beside the file.
        template: Option<Template> = "none",
        /// Number of token ids, for checks before the file is there; the file must agree.
        vocab: Option<u64> = "none",
    }
}

llmp_stdlib::def! {
    /// The tokenizer of a model: its `tokenizer.json` in the Hugging Face cache folder. Nothing is fetched.
    ///
    /// ```llmp
    /// tokenizer tok = hf("meta-llama/Llama-3.1-8B", template = llama_3_instruct)
    /// ```
    HfTokenizer = "hf", rev 1 {
        /// The repository: `organisation/name`.
        name: String,
        /// Chat template; `none` takes the one of the repository.
        template: Option<Template> = "none",
        /// The revision; the lock holds the one that `main` meant.
        revision: String = "\"main\"",
        /// Number of token ids, for checks before the repository is there.
        vocab: Option<u64> = "none",
    }
}

/// A tokenizer ready for use.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    hash: String,
    vocab: usize,
    begin: Option<u32>,
    end: u32,
}

impl Tokenizer {
    /// Reads a `tokenizer.json`.
    ///
    /// Errors: not such a file, or one without a token for the end of a text.
    pub fn open(path: &Path) -> Result<Tokenizer> {
        let bytes = fs::read(path).map_err(|e| DataError::io("open", path, e))?;
        Tokenizer::read(&bytes).map_err(|what| DataError::artifact(path, what))
    }

    /// Reads the content of a `tokenizer.json`. Errors: words that say what is wrong.
    pub fn read(bytes: &[u8]) -> Result<Tokenizer, String> {
        let mut inner = tokenizers::Tokenizer::from_bytes(bytes).map_err(|e| e.to_string())?;
        // A document that spells out a special token means its letters.
        inner.set_encode_special_tokens(true);
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|e| e.to_string())?;
        let known = |names: &[&str]| names.iter().find_map(|name| inner.token_to_id(name));
        let end =
            known(ENDS).ok_or_else(|| format!("no token for the end of a text ({})", ENDS.join(", ")))?;
        let begin = known(BEGINS);
        let largest = inner.get_vocab(true).into_values().max().unwrap_or(0);
        let hash = blake3::hash(bytes).to_hex().to_string();
        Ok(Tokenizer { inner, hash, vocab: largest as usize + 1, begin, end })
    }

    /// BLAKE3 of the file: the tokenizer's identity.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Largest token id plus one.
    pub fn vocab(&self) -> usize {
        self.vocab
    }

    /// The token at the end of each document.
    pub fn end(&self) -> u32 {
        self.end
    }

    /// The token at the beginning of a text, where the tokenizer has one of its own.
    pub fn begin(&self) -> Option<u32> {
        self.begin
    }

    /// Ids of a text, without tokens for its beginning and end.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoded = self.inner.encode_fast(text, false);
        encoded.map(|encoded| encoded.get_ids().to_vec()).map_err(|e| step_error("encode", &e))
    }

    /// The text of ids; special tokens are left out.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        self.inner.decode(ids, true).map_err(|e| step_error("decode", &e))
    }
}

fn step_error(step: &'static str, error: &tokenizers::Error) -> DataError {
    DataError::Step { step, what: error.to_string() }
}

/// Trains a tokenizer on the documents of `folders` and writes it to `out/tokenizer.json`; returns its hash.
///
/// The same documents and settings give the same bytes. Errors: a folder that cannot be read, the stop flag.
pub fn train_bpe(folders: &[PathBuf], settings: &Bpe, out: &Path, ctx: &Context<'_>) -> Result<String> {
    let split = Split::new(SplitPattern::Regex(PATTERN.into()), SplitDelimiterBehavior::Isolated, false);
    let split = split.map_err(|e| step_error("bpe", &e))?;
    let mut tokenizer = tokenizers::Tokenizer::new(BPE::default());
    tokenizer
        .with_pre_tokenizer(Some(PreTokenizerWrapper::Sequence(Sequence::new(vec![
            PreTokenizerWrapper::Split(split),
            PreTokenizerWrapper::ByteLevel(ByteLevel::new(false, true, false)),
        ]))))
        .with_decoder(Some(DecoderWrapper::ByteLevel(ByteLevel::new(false, true, false))))
        .with_post_processor(Some(PostProcessorWrapper::ByteLevel(ByteLevel::new(false, false, false))));
    let trainer = BpeTrainer::builder()
        .vocab_size(settings.vocab as usize)
        .min_frequency(2)
        .show_progress(false)
        .special_tokens(special(settings).into_iter().map(|mark| AddedToken::from(mark, true)).collect())
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build();
    let mut failure = None;
    let mut documents = Vec::new();
    for folder in folders {
        documents.push(engine::documents(folder)?);
    }
    let texts = documents.into_iter().flatten().map_while(|doc| match ctx.check().and(doc) {
        Ok(doc) => Some(doc.text),
        Err(error) => {
            failure = Some(error);
            None
        }
    });
    let trained = tokenizer.train(&mut TrainerWrapper::BpeTrainer(trainer), texts);
    trained.map_err(|e| step_error("bpe", &e))?;
    if let Some(error) = failure {
        return Err(error);
    }
    let json = tokenizer.to_string(true).map_err(|e| step_error("bpe", &e))?;
    fs::create_dir_all(out).map_err(|e| DataError::io("create", out, e))?;
    ctx.write_whole(&out.join("tokenizer.json"), json.as_bytes())?;
    Ok(blake3::hash(json.as_bytes()).to_hex().to_string())
}
