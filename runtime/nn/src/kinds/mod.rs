//! The `model` kind: how a decoder is written in the language. Compiles without tensors.

mod check;
mod families;
mod model;
mod sizes;
#[cfg(test)]
mod tests;

use llmp_stdlib::Kind;

pub use families::{
    AttentionReach, Embedding, Experts, Ffn, Hf, Init, Learned, ModelSource, Moe, Norm, NormPlace, Normal,
    Position, Rms, Rope, Stage, Swiglu, Window,
};
pub use model::ModelKind;
pub use sizes::decoder_spec;

/// All kinds of this crate, sorted by name.
pub static ALL: &[&Kind] = &[&model::KIND];
