//! What a step minimises.

use llmp_nn::{Extras, Gpu, Grads, MicroBatch, Model};

use crate::error::Result;

/// A micro-batch with all that its step knows.
#[derive(Debug, Clone, Copy)]
pub struct Micro<'a> {
    /// The rows.
    pub batch: &'a MicroBatch,
    /// Targets in the whole batch.
    pub counted: f64,
    /// Dropout, and the balance of experts.
    pub extras: Extras<'a>,
    /// Where it is computed; the processor does without.
    pub gpu: Option<&'a Gpu>,
}

/// The loss of a stage. It is a sum over the targets of a batch, so that a batch may be cut into micro-batches.
pub trait Objective {
    /// The sum of the loss over a micro-batch. Adds to `grads` the gradients of that sum over [`Micro::counted`].
    fn loss_and_grads(&mut self, model: &Model, micro: &Micro<'_>, grads: &mut Grads) -> Result<f64>;
}

/// Cross-entropy of the next token, in nats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextToken;

impl Objective for NextToken {
    fn loss_and_grads(&mut self, model: &Model, micro: &Micro<'_>, grads: &mut Grads) -> Result<f64> {
        let (batch, counted, extras) = (micro.batch, micro.counted, micro.extras);
        let (sums, _) = match micro.gpu {
            Some(gpu) => gpu.loss_and_grads(model, batch, counted, extras, grads)?,
            None => model.loss_and_grads_with(batch, counted, extras, grads)?,
        };
        Ok(sums.nll_sum)
    }
}
