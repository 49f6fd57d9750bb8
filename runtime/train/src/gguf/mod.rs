//! Tokenizers inside GGUF files: from `tokenizer.json` to the metadata of llama.cpp and back.

mod from_json;
mod to_json;

pub use from_json::{Around, metadata};
pub use to_json::tokenizer;

/// How llama.cpp calls the ways in which byte-level tokenizers cut text, and their patterns. The pattern of GPT-2 is
/// the one of `ByteLevel` itself.
const CUTS: &[(&str, &str)] = &[
    (
        "llama-bpe",
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    ),
    (
        "qwen2",
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    ),
];

/// What stands for a space in the tokens of SentencePiece.
const SPACE: &str = "\u{2581}";

/// What a token is (llama.cpp's numbers).
mod kind {
    pub(super) const NORMAL: i32 = 1;
    pub(super) const UNKNOWN: i32 = 2;
    pub(super) const CONTROL: i32 = 3;
    pub(super) const WRITTEN: i32 = 4;
    pub(super) const UNUSED: i32 = 5;
    pub(super) const BYTE: i32 = 6;
}

#[cfg(test)]
mod tests;
