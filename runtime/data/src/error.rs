//! What can go wrong while documents are read, filtered and written: always an operation and a place.

use std::{fmt, io, path::Path};

use serde::{Deserialize, Serialize};

/// Where in a file a bad record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum At {
    /// The file as a whole.
    File,
    /// A line, counted from 1.
    Line(u64),
    /// A record (page, row), counted from 1.
    Record(u64),
    /// A byte of the file, counted from 0.
    Byte(u64),
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::File => Ok(()),
            At::Line(n) => write!(f, ":{n}"),
            At::Record(n) => write!(f, ": record {n}"),
            At::Byte(n) => write!(f, ": byte {n}"),
        }
    }
}

/// A record that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadRecord {
    /// Label of the file, as document ids spell it.
    pub file: String,
    /// Where in the file.
    pub at: At,
    /// What is wrong, in words.
    pub what: String,
}

impl fmt::Display for BadRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}: {}", self.file, self.at, self.what)
    }
}

/// Why reading, filtering or writing stopped.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The operating system refused.
    #[error("{action} {path}: {source}")]
    Io {
        /// What was tried: `open`, `write`, `rename`…
        action: &'static str,
        /// The file.
        path: String,
        /// The system's answer.
        source: io::Error,
    },
    /// A bad record of a source with `on_error = stop`.
    #[error("{0}")]
    Bad(BadRecord),
    /// A glob that is not one, or that no file matches.
    #[error("source `{glob}`: {what}")]
    Source {
        /// The glob as written.
        glob: String,
        /// What is wrong with it.
        what: String,
    },
    /// A step's settings or its model file are unusable.
    #[error("{step}: {what}")]
    Step {
        /// The step's name.
        step: &'static str,
        /// What is wrong.
        what: String,
    },
    /// A stored artifact is not what its format says.
    #[error("{path}: {what}")]
    Artifact {
        /// The file.
        path: String,
        /// What is wrong with it.
        what: String,
    },
    /// The stop flag was raised; what is finished is kept and the next call goes on there.
    #[error("stopped")]
    Stopped,
}

impl DataError {
    /// An [`DataError::Io`] for `path`.
    pub fn io(action: &'static str, path: &Path, source: io::Error) -> DataError {
        DataError::Io { action, path: path.display().to_string(), source }
    }

    /// An [`DataError::Artifact`] for `path`.
    pub fn artifact(path: &Path, what: impl fmt::Display) -> DataError {
        DataError::Artifact { path: path.display().to_string(), what: what.to_string() }
    }
}

/// Result of this crate's functions.
pub type Result<T, E = DataError> = std::result::Result<T, E>;
