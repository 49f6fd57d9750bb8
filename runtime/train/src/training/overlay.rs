//! Numbers through which the loss sees the weights: masks that choose among them, low-rank additions to them.
//!
//! A step lays the overlay over the weights, so that loss and gradients are those of an ordinary model on any device, and
//! then takes it off: the chain rule turns the gradient of what the loss saw into that of the numbers.

use std::collections::BTreeMap;
use std::path::Path;

use llmp_nn::{Architecture, Grads, Model, ParamInfo, SaveOptions, optim};

use crate::error::{Result, TrainError};
use crate::optimizers::{self, Memory, Optimizer};

/// What lies over the weights of a stage.
pub trait Overlay: std::fmt::Debug {
    /// Its numbers, as parameters.
    fn params(&self) -> Vec<ParamInfo>;

    /// Their values before the first step, end to end.
    fn begin(&self, weights: &[&[f32]]) -> Vec<f32>;

    /// Whether the weights beneath are trained too; else they stay as they are.
    fn trains_weights(&self) -> bool;

    /// The rate of its numbers for a rate of 1.
    fn rate(&self) -> f64 {
        1.0
    }

    /// Which parameters of the model it covers.
    fn covers(&self) -> Vec<usize>;

    /// Turns the weights into what the loss sees; `done` is the share of the stage that is over.
    fn lay(&self, numbers: &[f32], done: f64, weights: &mut [&mut [f32]]) -> Result<()>;

    /// Turns the gradients of what the loss saw into those of the weights beneath, and gives those of the numbers.
    fn pull(&self, numbers: &[f32], done: f64, weights: &[&[f32]], grads: &mut Grads) -> Result<Vec<f32>>;

    /// The model that the stage gives, from all its weights end to end.
    fn finish(&self, numbers: &[f32], model: &Model) -> Result<(Architecture, Vec<f32>)>;

    /// Writes that model to a folder.
    fn save(&self, numbers: &[f32], model: &Model, folder: &Path, options: &SaveOptions) -> Result<()> {
        let (sizes, flat) = self.finish(numbers, model)?;
        Ok(llmp_nn::weights::save(folder, &sizes, &flat, options)?)
    }

    /// Writes what it leaves in the folder of the stage besides that model.
    fn leave(&self, _numbers: &[f32], _folder: &Path) -> Result<()> {
        Ok(())
    }
}

/// An overlay with the state of its training.
#[derive(Debug)]
pub(crate) struct Over {
    pub(super) overlay: Box<dyn Overlay>,
    params: Vec<ParamInfo>,
    pub(super) numbers: Vec<f32>,
    memory: Memory,
    /// The weights beneath, while it lies over them.
    beneath: Vec<Vec<f32>>,
    gradient: Vec<f32>,
}

/// What its numbers are called in a checkpoint; buffers of its optimizer begin with it.
const NAME: &str = "overlay";

impl Over {
    /// Before the first step.
    pub(super) fn new(overlay: Box<dyn Overlay>, optimizer: &Optimizer, model: &Model) -> Over {
        let (params, numbers) = (overlay.params(), overlay.begin(&model.params()));
        let memory = Memory::of(optimizer, &params);
        Over { overlay, params, numbers, memory, beneath: Vec::new(), gradient: Vec::new() }
    }

    /// Whether the weights beneath are trained too.
    pub(super) fn trains_weights(&self) -> bool {
        self.overlay.trains_weights()
    }

    /// Lays it over the weights.
    pub(super) fn lay(&mut self, done: f64, model: &mut Model) -> Result<()> {
        let mut weights = model.params_mut();
        self.beneath = self.overlay.covers().into_iter().map(|at| weights[at].to_vec()).collect();
        self.overlay.lay(&self.numbers, done, &mut weights)
    }

    /// Takes it off: the weights are as they were, bit for bit. Gives the norm of the gradient of its numbers.
    pub(super) fn lift(&mut self, done: f64, model: &mut Model, grads: &mut Grads) -> Result<f64> {
        let mut weights = model.params_mut();
        for (at, beneath) in self.overlay.covers().into_iter().zip(std::mem::take(&mut self.beneath)) {
            weights[at].copy_from_slice(&beneath);
        }
        self.gradient = self.overlay.pull(&self.numbers, done, &model.params(), grads)?;
        if !self.trains_weights() {
            grads.clear();
        }
        Ok(optim::global_norm(&self.gradient))
    }

    /// The gradient of its numbers, for clipping.
    pub(super) fn gradient(&mut self) -> &mut [f32] {
        &mut self.gradient
    }

    /// One update of its numbers.
    pub(super) fn update(&mut self, optimizer: &Optimizer, pace: optimizers::Pace) -> Result<()> {
        let pace = optimizers::Pace { rate: pace.rate * self.overlay.rate(), ..pace };
        let slots = (self.numbers.as_mut_slice(), self.gradient.as_slice());
        optimizers::update_beside(optimizer, pace, &self.params, slots, &mut self.memory)
    }

    /// The model that the stage gives.
    pub(super) fn finish(&self, model: &Model) -> Result<Model> {
        let (sizes, flat) = self.overlay.finish(&self.numbers, model)?;
        Ok(Model::from_flat(model.device().clone(), sizes, &flat)?)
    }

    /// Writes the model that the stage gives to a folder.
    pub(super) fn save(&self, model: &Model, folder: &Path, options: &SaveOptions) -> Result<()> {
        self.overlay.save(&self.numbers, model, folder, options)
    }

    /// Writes what it leaves besides the model.
    pub(super) fn leave(&self, folder: &Path) -> Result<()> {
        self.overlay.leave(&self.numbers, folder)
    }

    /// What a checkpoint holds of it.
    pub(super) fn buffers(&self) -> impl Iterator<Item = (String, &[f32])> {
        let memory = self.memory.buffers.iter().map(|(name, b)| (format!("{NAME}.{name}"), b.as_slice()));
        memory.chain([(NAME.to_owned(), self.numbers.as_slice())])
    }

    /// Takes back what a checkpoint held.
    pub(super) fn restore(
        &mut self,
        saved: &mut BTreeMap<String, Vec<f32>>,
        updates: u64,
    ) -> Result<(), String> {
        let numbers = saved.remove(NAME).filter(|found| found.len() == self.numbers.len());
        self.numbers = numbers.ok_or_else(|| format!("it has no `{NAME}` of this stage"))?;
        let mut own = BTreeMap::new();
        for (name, _) in &self.memory.buffers {
            own.extend(saved.remove(&format!("{NAME}.{name}")).map(|found| ((*name).to_owned(), found)));
        }
        self.memory.restore(own, updates)
    }
}

/// The parts of a flat buffer that belong to parameters. Errors: another length.
pub(crate) fn parts<'a>(params: &[ParamInfo], flat: &'a [f32]) -> Result<Vec<&'a [f32]>> {
    let wanted: usize = params.iter().map(ParamInfo::count).sum();
    if wanted != flat.len() {
        let message = format!("an overlay of {wanted} numbers is given {}", flat.len());
        return Err(TrainError::Settings(message));
    }
    let mut rest = flat;
    let part = |info: &ParamInfo| {
        let (head, tail) = rest.split_at(info.count());
        rest = tail;
        head
    };
    Ok(params.iter().map(part).collect())
}
