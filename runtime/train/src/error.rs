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
    /// The loss jumped, and the stage is told to stop then.
    #[error("`{stage}`: the loss jumped to {loss:.3} at step {step}, above {most:.3}")]
    Spike {
        /// The stage.
        stage: String,
        /// Optimizer step, counted from 1.
        step: u64,
        /// The loss of its batch.
        loss: f64,
        /// The highest loss that would have been no jump.
        most: f64,
    },
    /// The needle test at the end of a part of a growing context is failed.
    #[cfg(feature = "kernels")]
    #[error(
        "`{stage}`: {} of {} facts hidden in {context} tokens are found, the gate asks for {:.0}%{}",
        found.found,
        found.hidden,
        100.0 * score,
        again(*times)
    )]
    Gate {
        /// The stage.
        stage: String,
        /// Tokens of a sequence in this part.
        context: u64,
        /// What was found.
        found: crate::needle::Found,
        /// The share that must be.
        score: f64,
        /// How often the part went on for as long again.
        times: u64,
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
    /// A chat template that cannot be used, or a conversation that it cannot write.
    #[error("the chat template: {0}")]
    Template(String),
    /// Arguments that do not fit together.
    #[error("{0}")]
    Settings(String),
}

#[cfg(feature = "kernels")]
fn again(times: u64) -> String {
    if times == 0 { String::new() } else { format!(", after {} times its tokens", times + 1) }
}

impl TrainError {
    /// The code of the diagnostic (kinds.md section 5: 11xx model and tokenizer files, 12xx training and generation).
    pub fn code(&self) -> &'static str {
        match self {
            #[cfg(feature = "kernels")]
            TrainError::Model(_) => "LLMP1101",
            TrainError::Tokenizer { .. } | TrainError::Template(_) => "LLMP1101",
            TrainError::Data(_) => "LLMP1003",
            #[cfg(feature = "kernels")]
            TrainError::Gate { .. } => "LLMP1201",
            TrainError::NotFinite { .. }
            | TrainError::Spike { .. }
            | TrainError::DataEnded { .. }
            | TrainError::Settings(_) => "LLMP1201",
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
            TrainError::Spike { .. } => {
                Some("leave such steps out with `on_spike = skip`, go back with `rewind(100 steps)`, or lower the schedule's `peak`".to_owned())
            }
            #[cfg(feature = "kernels")]
            TrainError::Gate { .. } => Some(
                "give the stage more `tokens` or more `stages`, a larger rotary base, or lower the gate's `score`".to_owned(),
            ),
            TrainError::DataEnded { .. } => {
                Some("raise `max_epochs` in the mixture, or lower `tokens`".to_owned())
            }
            TrainError::Checkpoint { path, .. } => {
                Some(format!("remove {} to start the stage again", path.display()))
            }
            #[cfg(feature = "kernels")]
            TrainError::Model(_) => None,
            TrainError::Tokenizer { .. } | TrainError::Data(_) | TrainError::Io { .. } => None,
            TrainError::Template(_) | TrainError::Settings(_) | TrainError::Stopped => None,
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
