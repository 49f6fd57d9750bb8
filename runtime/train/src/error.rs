//! Why training, scoring, generation or a release failed.

#[cfg(feature = "kernels")]
use std::path::Path;
use std::path::PathBuf;

/// A failure with the place it belongs to.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A model or its files cannot be used.
    #[cfg(feature = "kernels")]
    #[error(transparent)]
    Model(#[from] llmp_nn::NnError),
    /// A tokenizer file cannot be used.
    #[error("{}: {reason}", path.display())]
    Tokenizer {
        /// The tokenizer file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Training data cannot be read.
    #[error(transparent)]
    Data(#[from] llmp_data::DataError),
    /// A NaN or an infinity appeared; the weights were not changed by it.
    #[error("`{stage}`: {what} is {value} at step {step}, first in {tensor}")]
    NotFinite {
        /// The stage.
        stage: String,
        /// Optimizer step, counted from 1.
        step: u64,
        /// The loss or the gradient.
        what: &'static str,
        /// The value that was met.
        value: f64,
        /// The first tensor in canonical order that holds it.
        tensor: String,
    },
    /// The data ended before the stage did.
    #[error("`{stage}`: the data ended after {drawn} of {wanted} tokens")]
    DataEnded {
        /// The stage.
        stage: String,
        /// Tokens that were there.
        drawn: u64,
        /// Tokens that the stage needs.
        wanted: u64,
    },
    /// A checkpoint that is not this stage's, or was made under other arithmetic.
    #[error("{}: {reason}", path.display())]
    Checkpoint {
        /// The checkpoint.
        path: PathBuf,
        /// Why it cannot be used.
        reason: String,
    },
    /// A file could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's own error.
        source: std::io::Error,
    },
    /// The stop flag was raised; what is done is saved and the next call goes on there.
    #[error("stopped")]
    Stopped,
    /// Arguments that do not fit together.
    #[error("{0}")]
    Settings(String),
}

impl TrainError {
    /// The code of the diagnostic (kinds.md section 5: 11xx model and tokenizer files, 12xx training and generation).
    pub fn code(&self) -> &'static str {
        match self {
            #[cfg(feature = "kernels")]
            TrainError::Model(_) => "LLMP1101",
            TrainError::Tokenizer { .. } => "LLMP1101",
            TrainError::Data(_) => "LLMP1003",
            TrainError::NotFinite { .. } | TrainError::DataEnded { .. } | TrainError::Settings(_) => {
                "LLMP1201"
            }
            TrainError::Checkpoint { .. } => "LLMP1301",
            TrainError::Io { .. } => "LLMP1303",
            TrainError::Stopped => "LLMP1304",
        }
    }

    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            TrainError::NotFinite { .. } => {
                Some("lower the schedule's `peak`, lengthen its `warmup` or lower `clip`; the last checkpoint is kept".to_owned())
            }
            TrainError::DataEnded { .. } => {
                Some("raise `max_epochs` in the mixture, or lower `tokens`".to_owned())
            }
            TrainError::Checkpoint { path, .. } => {
                Some(format!("remove {} to start the stage again", path.display()))
            }
            #[cfg(feature = "kernels")]
            TrainError::Model(_) => None,
            TrainError::Tokenizer { .. } | TrainError::Data(_) | TrainError::Io { .. } => None,
            TrainError::Settings(_) | TrainError::Stopped => None,
        }
    }

    /// A [`TrainError::Io`] for `path`, for `map_err`.
    #[cfg(feature = "kernels")]
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> TrainError {
        let path = path.to_path_buf();
        move |source| TrainError::Io { action, path, source }
    }
}

/// Result of this crate's functions.
#[cfg(feature = "kernels")]
pub(crate) type Result<T, E = TrainError> = std::result::Result<T, E>;
