//! What losses over log-probabilities and over states are made of: one forward pass, numbers for the caller, one backward pass
//! from the slopes that he gives.

use dfdx::prelude::*;

use super::{Model, device_error};
use crate::blocks::Notes;
use crate::kernels::{Kernels, Res, T0};
use crate::{Extras, Grads, MicroBatch, NnError};

/// Turns what a pass gave into the slope of the loss by each of its numbers.
pub type Weigh<'a> = &'a mut dyn FnMut(&[f32]) -> Result<Vec<f32>, NnError>;

impl<D: Kernels> Model<D> {
    /// Log-probabilities of the targets of a batch, one a position, 0 where a target is [`crate::IGNORE`]. No gradients.
    pub fn log_probs(&self, batch: &MicroBatch) -> Result<Vec<f32>, NnError> {
        const OP: &str = "log-probabilities";
        batch.validate(&self.spec, OP)?;
        if batch.positions() == 0 {
            return Ok(Vec::new());
        }
        let run = || -> Res<Vec<f32>, D> {
            let x = self.hidden(self.embedding.clone(), batch, None, &Notes::new(Vec::new()))?;
            Ok(self.path.log_probs(x, self.head_weight(), &batch.targets, self.logit_cap())?.as_vec())
        };
        run().map_err(device_error(OP))
    }

    /// One forward pass; `weigh` gets the log-probabilities (one a position, 0 where a target is [`crate::IGNORE`]) and gives
    /// the slope of the loss by each; adds its gradients to `grads`.
    ///
    /// Errors: those of `weigh`, slopes of another number; a z-loss, which this pass does not have.
    pub fn weigh_and_grads(
        &self,
        batch: &MicroBatch,
        extras: Extras<'_>,
        weigh: Weigh<'_>,
        grads: &mut Grads,
    ) -> Result<(), NnError> {
        const OP: &str = "weighing of log-probabilities";
        self.check_step(OP, batch, 1.0, grads)?;
        if extras.z_loss != 0.0 {
            return Err(NnError::Input { op: OP, reason: "there is no z-loss beside it".into() });
        }
        if batch.positions() == 0 {
            return Ok(());
        }
        let step = self.taped(OP, batch, grads.flat_mut(), extras, |x| {
            let head = self.path.log_probs(x, self.head_weight(), &batch.targets, self.logit_cap());
            weighed(OP, head.map_err(device_error(OP))?, weigh)
        });
        step.map(|_| ())
    }

    /// States after the last norm at some positions of a batch, row by row of the model's width; `back` gives the slope of the
    /// loss by each of their numbers; adds its gradients to `grads`. The output head takes no part.
    ///
    /// Errors: a position that the batch has not, those of `back`, slopes of another number.
    pub fn states_and_grads(
        &self,
        batch: &MicroBatch,
        extras: Extras<'_>,
        at: &[usize],
        back: Weigh<'_>,
        grads: &mut Grads,
    ) -> Result<(), NnError> {
        const OP: &str = "states";
        self.check_step(OP, batch, 1.0, grads)?;
        let at = places(OP, batch, at)?;
        if at.is_empty() {
            return Ok(());
        }
        let step = self.taped(OP, batch, grads.flat_mut(), extras, |x| {
            weighed(OP, self.path.embed(x, &at).map_err(device_error(OP))?, back)
        });
        step.map(|_| ())
    }

    /// The same states without gradients.
    pub fn states_at(&self, batch: &MicroBatch, at: &[usize]) -> Result<Vec<f32>, NnError> {
        const OP: &str = "states";
        batch.validate(&self.spec, OP)?;
        let at = places(OP, batch, at)?;
        if at.is_empty() {
            return Ok(Vec::new());
        }
        let run = || -> Res<Vec<f32>, D> {
            let x = self.hidden(self.embedding.clone(), batch, None, &Notes::new(Vec::new()))?;
            Ok(self.path.embed(x, &at)?.as_vec())
        };
        run().map_err(device_error(OP))
    }
}

/// Positions as rows to look up. Errors: one that the batch has not.
fn places(op: &'static str, batch: &MicroBatch, at: &[usize]) -> Result<Vec<u32>, NnError> {
    let n = batch.positions();
    match at.iter().find(|at| **at >= n) {
        Some(beyond) => {
            let reason = format!("position {beyond} of a batch that has {n}");
            Err(NnError::Input { op, reason })
        }
        None => Ok(at.iter().map(|at| *at as u32).collect()),
    }
}

/// A loss with the given slopes: its value is of no use, its gradients are those of the caller's loss.
fn weighed<S, D: Kernels, T: Tape<f32, D> + Merge<T>>(
    op: &'static str,
    y: Tensor<S, f32, D, T>,
    weigh: Weigh<'_>,
) -> Result<(T0<D, T>, ()), NnError>
where
    S: Shape + ReduceShapeTo<Rank0, S::AllAxes>,
{
    let given = y.as_vec();
    let slopes = weigh(&given)?;
    if slopes.len() != given.len() {
        return Err(NnError::Mismatch {
            op,
            left_name: "the list of slopes".into(),
            left: slopes.len(),
            right_name: "the pass".into(),
            right: given.len(),
        });
    }
    let run = || -> Res<T0<D, T>, D> {
        let slopes = y.device().try_tensor_from_vec(slopes, *y.shape())?;
        y.try_mul(slopes)?.try_sum::<Rank0, S::AllAxes>()
    };
    Ok((run().map_err(device_error(op))?, ()))
}
