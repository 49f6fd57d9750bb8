//! Training a low-rank adapter on frozen weights: what the stage gives is their sum, and the adapter as a PEFT folder.

use std::path::Path;

use llmp_nn::weights::{as_written, save_adapter};
use llmp_nn::{Architecture, Grads, Layers, Lora, Model, ParamInfo, StorageType};

use crate::error::Result;
use crate::kinds::post;
use crate::training::Overlay;

/// Name of the adapter's folder in the folder of a stage.
pub const FOLDER: &str = "adapter";

/// An adapter that lies over the weights of a stage and is kept in 16 bits.
#[derive(Debug)]
pub struct Adapter {
    lora: Lora,
    sizes: Architecture,
    seed: u64,
}

/// AFM keeps adapters in 16 bits; these have the wider range.
const STORED: StorageType = StorageType::Bf16;

impl Adapter {
    /// An adapter for a model of these sizes. Errors: rank 0, or no such layers.
    pub fn new(
        sizes: &Architecture,
        (rank, alpha): (usize, f64),
        layers: &Layers,
        seed: u64,
    ) -> Result<Adapter> {
        let lora = Lora::new(sizes, rank, alpha, layers)?;
        Ok(Adapter { lora, sizes: sizes.clone(), seed })
    }

    /// The adapter that a stage asks for.
    pub fn of(settings: &post::Adapter, sizes: &Architecture, seed: u64) -> Result<Adapter> {
        let post::Adapter::Lora(lora) = settings;
        Adapter::new(sizes, (lora.rank as usize, lora.alpha()), &lora.layers(), seed)
    }
}

impl Overlay for Adapter {
    fn params(&self) -> Vec<ParamInfo> {
        self.lora.params()
    }

    fn begin(&self, _weights: &[&[f32]]) -> Vec<f32> {
        self.lora.init(self.seed)
    }

    fn trains_weights(&self) -> bool {
        false
    }

    fn covers(&self) -> Vec<usize> {
        self.lora.covers()
    }

    fn lay(&self, numbers: &[f32], _done: f64, weights: &mut [&mut [f32]]) -> Result<()> {
        Ok(self.lora.add(numbers, weights)?)
    }

    fn pull(&self, numbers: &[f32], _done: f64, _weights: &[&[f32]], grads: &mut Grads) -> Result<Vec<f32>> {
        Ok(self.lora.pull(numbers, grads)?)
    }

    fn finish(&self, numbers: &[f32], model: &Model) -> Result<(Architecture, Vec<f32>)> {
        let mut whole = model.clone();
        self.lora.add(&as_written(numbers, STORED), &mut whole.params_mut())?;
        Ok((whole.spec().clone(), whole.to_flat()))
    }

    fn leave(&self, numbers: &[f32], folder: &Path) -> Result<()> {
        Ok(save_adapter(&folder.join(FOLDER), &self.sizes, &self.lora, numbers, STORED)?)
    }
}
