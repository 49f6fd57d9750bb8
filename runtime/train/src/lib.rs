//! Training: settings and kinds, the training loop, scoring, generation, evaluation, release.
//!
//! Reading order: the settings families, the kinds that use them, how a stage's lengths become steps, the training
//! loop, then what is done with a finished model. Without the feature `kernels` only settings, kinds and costs
//! compile. This crate reads neither clock nor environment: the caller passes a [`Host`].

pub mod optimizers;
pub mod schedules;
pub mod settings;
pub mod suites;

pub mod budget;
pub mod comparison;
pub mod course;
pub mod curve;
pub mod gguf;
pub mod kinds;
pub mod losses;
pub mod plot;
pub mod require;
pub mod scaling;
pub mod stage;
pub mod steps;

#[cfg(feature = "kernels")]
mod durable;
mod error;
mod host;

#[cfg(feature = "kernels")]
pub mod adapter;
#[cfg(feature = "kernels")]
pub mod chat;
#[cfg(feature = "kernels")]
pub mod distill;
#[cfg(feature = "kernels")]
pub mod evaluate;
#[cfg(feature = "kernels")]
pub mod folder;
#[cfg(feature = "kernels")]
pub mod generate;
#[cfg(feature = "kernels")]
pub mod mask;
#[cfg(feature = "kernels")]
pub mod measuring;
#[cfg(feature = "kernels")]
pub mod merging;
#[cfg(feature = "kernels")]
pub mod needle;
#[cfg(feature = "kernels")]
mod on_policy;
#[cfg(feature = "kernels")]
pub mod preference;
#[cfg(feature = "kernels")]
pub mod prune;
#[cfg(feature = "kernels")]
pub mod quantize;
#[cfg(feature = "kernels")]
mod records;
#[cfg(feature = "kernels")]
pub mod release;
#[cfg(feature = "kernels")]
pub mod reward;
#[cfg(feature = "kernels")]
pub mod rl;
#[cfg(feature = "kernels")]
pub mod sample;
#[cfg(feature = "kernels")]
pub mod score;
#[cfg(feature = "kernels")]
pub mod stored;
#[cfg(feature = "kernels")]
pub mod training;
#[cfg(feature = "kernels")]
pub mod tuning;
#[cfg(feature = "kernels")]
pub mod writing;

pub use error::TrainError;
pub use host::{Host, Peak};
