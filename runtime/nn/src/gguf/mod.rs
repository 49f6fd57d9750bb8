//! The GGUF container of llama.cpp: typed metadata and tensors in one file, written and read with every length checked.
//!
//! Layout (version 3, little endian): magic, version, numbers of tensors and of metadata, metadata, tensor table,
//! padding to the alignment, tensor data each padded to the alignment. Shapes are stored innermost first; here they
//! are outermost first, as everywhere else.

pub mod blocks;
mod read;
mod value;
mod write;

pub use blocks::Storage;
pub use read::Reader;
pub use value::Value;
pub use write::{Pending, write};

/// First bytes of a file.
const MAGIC: [u8; 4] = *b"GGUF";
/// The version that is written; 2 has the same layout.
const VERSION: u32 = 3;
/// Tensors begin at multiples of this, unless `general.alignment` says otherwise.
const ALIGNMENT: u64 = 32;

/// Metadata in the order of the file.
pub type Metadata = Vec<(String, Value)>;

#[cfg(test)]
mod tests;
