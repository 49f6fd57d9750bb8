//! What a step minimises.

use llmp_nn::{Grads, MicroBatch, Model};

use crate::error::Result;

/// The loss of a stage. It is a sum over the targets of a batch, so that a batch may be cut into micro-batches.
pub trait Objective {
    /// The sum of the loss over a micro-batch. Adds to `grads` the gradients of that sum over `counted`, the number of
    /// targets in the whole batch.
    fn loss_and_grads(
        &mut self,
        model: &Model,
        batch: &MicroBatch,
        counted: f64,
        grads: &mut Grads,
    ) -> Result<f64>;
}

/// Cross-entropy of the next token, in nats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextToken;

impl Objective for NextToken {
    fn loss_and_grads(
        &mut self,
        model: &Model,
        batch: &MicroBatch,
        counted: f64,
        grads: &mut Grads,
    ) -> Result<f64> {
        Ok(model.loss_and_grads(batch, counted, grads)?.nll_sum)
    }
}
