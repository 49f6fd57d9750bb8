//! The `model` kind: how a decoder is written in the language. Compiles without tensors.

mod check;
mod families;
mod model;
mod sizes;
#[cfg(test)]
mod tests;

use llmp_stdlib::Kind;

pub use families::{
    AttentionReach, BaseLaw, Chunks, DualChunk, Embedding, Experts, Ffn, Geglu, Gelu, GeluForm, Hf, Init,
    LayerNorm, Learned, Llama3, ModelSource, Moe, Norm, NormPlace, Normal, Ntk, Position, QkPlace, Relu2,
    Rms, Rope, Scaling, Stage, Swiglu, Upcycle, Window, Yarn,
};
pub use model::ModelKind;
pub use sizes::{architecture, expert_form, of_model, tokenizer_size};

/// All kinds of this crate, sorted by name.
pub static ALL: &[&Kind] = &[&model::KIND];
