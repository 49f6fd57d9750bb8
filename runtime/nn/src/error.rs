//! The one error of this crate: every message names the operation and both sides.

use std::path::PathBuf;

/// What can go wrong with a model, its files or its inputs.
#[derive(Debug, thiserror::Error)]
pub enum NnError {
    /// The settings of a model contradict each other.
    #[error("model settings: {0}")]
    Spec(String),
    /// A token id that the vocabulary lacks.
    #[error("{op}: token id {id} at row {row}, position {position}, but the vocabulary has {vocab} entries")]
    TokenId {
        /// The operation that was asked for.
        op: &'static str,
        /// The offending id.
        id: u32,
        /// Row of the batch, from 0.
        row: usize,
        /// Position in the row, from 0.
        position: usize,
        /// Size of the vocabulary.
        vocab: usize,
    },
    /// Two sizes that must agree do not.
    #[error("{op}: {left_name} has {left}, {right_name} has {right}")]
    Mismatch {
        /// The operation that was asked for.
        op: &'static str,
        /// What the first size belongs to.
        left_name: String,
        /// The first size.
        left: usize,
        /// What the second size belongs to.
        right_name: String,
        /// The second size.
        right: usize,
    },
    /// More positions than the model has.
    #[error("{op}: {length} tokens, but the model's context is {context}")]
    Context {
        /// The operation that was asked for.
        op: &'static str,
        /// Positions that were asked for.
        length: usize,
        /// Positions that the model has.
        context: usize,
    },
    /// An input that cannot be used, with the reason.
    #[error("{op}: {reason}")]
    Input {
        /// The operation that was asked for.
        op: &'static str,
        /// Why not.
        reason: String,
    },
    /// The device refused (memory, driver).
    #[error("{op}: the device reported {reason}")]
    Device {
        /// The operation that was running.
        op: &'static str,
        /// The device's own words.
        reason: String,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's own error.
        source: std::io::Error,
    },
    /// A file is there but does not hold what it must.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A weight file lacks a tensor.
    #[error("{}: no tensor is called `{tensor}`", path.display())]
    MissingTensor {
        /// The file or folder that was searched.
        path: PathBuf,
        /// The name that was looked for.
        tensor: String,
    },
    /// A tensor has another shape than the configuration says.
    #[error("{}: tensor `{tensor}` has shape {found:?}, config.json asks for {expected:?}", path.display())]
    TensorShape {
        /// The weight file.
        path: PathBuf,
        /// The tensor's name in the file.
        tensor: String,
        /// Shape in the file.
        found: Vec<usize>,
        /// Shape that the configuration asks for.
        expected: Vec<usize>,
    },
}
