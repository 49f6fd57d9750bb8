//! The parts of a decoder that hold weights: each says what it holds, in canonical order, and what it computes.

mod attention;
mod block;
mod feed_forward;
mod linear;
mod moe;
mod norm;
mod tensors;

pub(crate) use attention::Attention;
pub(crate) use block::{Block, Pass};
pub(crate) use feed_forward::FeedForward;
pub(crate) use linear::Linear;
pub(crate) use moe::{Ffn, Moe, Notes};
pub(crate) use norm::Norm;
pub(crate) use tensors::{Stored, Tensors, Weights, tensors};
