//! Tensors: what a decoder is and costs, its kernels, its training step, its weights on disk, its decoding.
//!
//! Without the feature `kernels` only plain data compile: [`Architecture`] with its shapes and costs,
//! [`MicroBatch`], [`Grads`]. This is the only crate that names dfdx or cudarc.

mod batch;
mod error;
pub mod gguf;
mod grads;
pub mod kinds;
pub mod spec;

#[cfg(feature = "kernels")]
mod blocks;
#[cfg(feature = "kernels")]
pub mod decode;
#[cfg(feature = "kernels")]
mod gpu;
#[cfg(feature = "kernels")]
pub mod kernels;
#[cfg(feature = "kernels")]
mod lora;
#[cfg(feature = "kernels")]
mod model;
#[cfg(feature = "kernels")]
mod peak;
#[cfg(feature = "kernels")]
pub mod reward;
#[cfg(feature = "kernels")]
pub mod weights;

pub use batch::{IGNORE, LossSums, MicroBatch};
pub use error::NnError;
pub use grads::Grads;
pub use spec::{Architecture, Layers, ParamInfo};

#[cfg(feature = "kernels")]
pub use decode::Decoder;
#[cfg(feature = "kernels")]
pub use dfdx::tensor::Cpu;
#[cfg(feature = "cuda")]
pub use dfdx::tensor::Cuda;
#[cfg(feature = "kernels")]
pub use gpu::Gpu;
#[cfg(feature = "kernels")]
pub use kernels::distill::{DistillSums, Divergence, Pick, Targets};
#[cfg(feature = "kernels")]
pub use kernels::{Kernels, Noise, Path, Precision, optim};
#[cfg(feature = "kernels")]
pub use lora::Lora;
#[cfg(feature = "kernels")]
pub use model::{Balance, Extras, Model, Redraw, Teaching, Weigh, teach, upcycle};
#[cfg(feature = "kernels")]
pub use peak::{Rate, bandwidth, peak, rates, threads};
#[cfg(feature = "kernels")]
pub use weights::{SaveOptions, StorageType};
