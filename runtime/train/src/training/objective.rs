//! What a step minimises.

use std::collections::BTreeMap;

use llmp_nn::{Extras, Gpu, Grads, MicroBatch, Model};

use super::examples::Placed;
use super::feed::Batch;
use crate::error::Result;

/// A micro-batch with all that its step knows.
#[derive(Debug, Clone, Copy)]
pub struct Micro<'a> {
    /// The rows.
    pub batch: &'a MicroBatch,
    /// The sequences of examples that stand in the rows; none of a stream of tokens.
    pub placed: &'a [Placed],
    /// What the loss of the whole batch is divided by: [`Objective::counted`].
    pub counted: f64,
    /// Dropout, the balance of experts, a z-loss.
    pub extras: Extras<'a>,
    /// Where it is computed; the processor does without.
    pub gpu: Option<&'a Gpu>,
}

/// Sums over the targets of a micro-batch.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sums {
    /// The loss, without what a z-loss adds to it.
    pub loss: f64,
    /// The squared log of the softmax's denominator; 0 where no z-loss asks for it.
    pub z: f64,
}

/// The loss of a stage. It is a sum over the targets of a batch, or over its pairs, so that a batch may be cut into
/// micro-batches; the sequences of one example never leave theirs.
pub trait Objective {
    /// The batch of a step as the loss sees it, `step` steps done; a student may write part of it. Of prompts it makes all rows:
    /// the batch that it is given names the examples and holds no micro-batch.
    fn prepare(&mut self, _model: &Model, batch: Batch, _step: u64) -> Result<Batch> {
        Ok(batch)
    }

    /// What the sum over a batch is divided by: its targets, unless the loss counts something else.
    fn counted(&self, batch: &Batch) -> f64 {
        batch.targets() as f64
    }

    /// The sums of a micro-batch. Adds to `grads` the gradients of the loss, and of the z-loss that [`Micro::extras`]
    /// ask for, over [`Micro::counted`].
    fn loss_and_grads(&mut self, model: &Model, micro: &Micro<'_>, grads: &mut Grads) -> Result<Sums>;

    /// Means over the targets of the last batch, of what has two parts: the divergence from a teacher, and the negative
    /// log-likelihood of the true tokens.
    fn parts(&mut self) -> Option<(f64, f64)> {
        None
    }

    /// What else is worth telling of the last batch, by the name of a metric.
    fn told(&mut self) -> BTreeMap<&'static str, f64> {
        BTreeMap::new()
    }

    /// Whether a stage may be left after `done` steps: what several steps share is in no checkpoint.
    fn whole(&self, _done: u64) -> bool {
        true
    }

    /// What a checkpoint holds of it, by name.
    fn buffers(&self) -> BTreeMap<String, Vec<f32>> {
        BTreeMap::new()
    }

    /// Takes back what a checkpoint after the first step held. Errors: words that name what is missing.
    fn restore(&mut self, _saved: BTreeMap<String, Vec<f32>>) -> Result<(), String> {
        Ok(())
    }
}

/// Cross-entropy of the next token, in nats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextToken;

impl Objective for NextToken {
    fn loss_and_grads(&mut self, model: &Model, micro: &Micro<'_>, grads: &mut Grads) -> Result<Sums> {
        let (batch, counted, extras) = (micro.batch, micro.counted, micro.extras);
        let (sums, _) = match micro.gpu {
            Some(gpu) => gpu.loss_and_grads(model, batch, counted, extras, grads)?,
            None => model.loss_and_grads_with(batch, counted, extras, grads)?,
        };
        Ok(Sums { loss: sums.nll_sum, z: sums.z_sum })
    }
}
