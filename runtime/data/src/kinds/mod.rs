//! Kinds of data: sources, datasets, chains, mixtures, tokenizers.

mod chain;
mod concat;
mod dataset;
mod export;
mod mix;
mod source;
mod tokenizer;

pub use mix::Change;

use llmp_stdlib::Kind;

pub use concat::Concat;
pub use export::Exporting;
pub use source::Source;
pub use tokenizer::TokenizerSource;

/// All kinds of this crate, sorted by name.
pub static ALL: &[&Kind] =
    &[&chain::KIND, &dataset::KIND, &export::KIND, &mix::KIND, &source::KIND, &tokenizer::KIND];
