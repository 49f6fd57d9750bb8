//! Models on disk: Hugging Face folders with `config.json` and safetensors, and GGUF files.

mod combine;
mod config;
mod gguf;
mod peft;
mod read;
mod reward;
mod slots;
mod write;

pub use combine::{Blend, combine};
pub use config::{as_stored, read_config, write_config};
pub use gguf::{GgufOptions, save_gguf};
pub use peft::{as_written, load_adapter, save_adapter};
pub use read::load;
pub use reward::{is_reward, load_reward, save_reward};
pub use write::{SaveOptions, StorageType, save};

use std::path::Path;

use crate::NnError;

pub(crate) fn io_error(path: &Path) -> impl Fn(std::io::Error) -> NnError {
    move |source| NnError::Io { path: path.to_owned(), source }
}

pub(crate) fn file_error(path: &Path, reason: impl std::fmt::Display) -> NnError {
    NnError::File { path: path.to_owned(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests;
