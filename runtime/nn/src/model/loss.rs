//! The loss of a micro-batch and its gradients.

use dfdx::prelude::*;

use super::{Model, Stored, device_error};
use crate::kernels::{Kernels, Positions, Res, T0, T2};
use crate::{Grads, LossSums, MicroBatch, NnError};

/// The residual stream on a tape.
type Taped<D> = T2<D, OwnedTape<f32, D>>;

impl<D: Kernels> Model<D> {
    /// Sums of the loss over a micro-batch, and its gradients added to `grads`.
    ///
    /// `normaliser` is the number of targets that count in the *whole* batch: gradients are those of the mean
    /// over it, however it is cut into micro-batches.
    pub fn loss_and_grads(
        &self,
        batch: &MicroBatch,
        normaliser: f64,
        grads: &mut Grads,
    ) -> Result<LossSums, NnError> {
        const OP: &str = "training step";
        self.check_step(OP, batch, normaliser, grads)?;
        if batch.positions() == 0 {
            return Ok(LossSums::default());
        }
        let step = self.taped(batch, grads.flat_mut(), |x| {
            self.path.head_loss(x, self.head_weight(), &batch.targets, normaliser)
        });
        step.map_err(device_error(OP))
    }

    /// What every training step asks of its arguments.
    pub(super) fn check_step(
        &self,
        op: &'static str,
        batch: &MicroBatch,
        normaliser: f64,
        grads: &Grads,
    ) -> Result<(), NnError> {
        batch.validate(&self.spec, op)?;
        if !(normaliser.is_finite() && normaliser > 0.0) {
            let reason = format!("the loss is divided by {normaliser}; it must be a count above 0");
            return Err(NnError::Input { op, reason });
        }
        let parameters = self.spec.parameters() as usize;
        if grads.flat().len() != parameters {
            return Err(NnError::Mismatch {
                op,
                left_name: "the gradient buffer".into(),
                left: grads.flat().len(),
                right_name: "the model".into(),
                right: parameters,
            });
        }
        Ok(())
    }

    /// Sums of the loss over a batch, without gradients.
    pub fn loss(&self, batch: &MicroBatch) -> Result<LossSums, NnError> {
        const OP: &str = "loss";
        batch.validate(&self.spec, OP)?;
        if batch.positions() == 0 {
            return Ok(LossSums::default());
        }
        let run = || -> Res<LossSums, D> {
            let x = self.hidden(self.embedding.clone(), batch)?;
            Ok(self.path.head_loss(x, self.head_weight(), &batch.targets, 1.0)?.1)
        };
        run().map_err(device_error(OP))
    }

    /// The residual stream after the final norm. The tape starts at the embedding: gradients are kept by
    /// identity, so one taped input serves all parameters.
    pub(super) fn hidden<T: Tape<f32, D> + Merge<T>>(
        &self,
        table: T2<D, T>,
        batch: &MicroBatch,
    ) -> Res<T2<D, T>, D> {
        let positions = Positions::new(&self.spec, &self.rope, batch);
        let mut x = self.path.embed(table, &batch.inputs)?;
        for block in &self.blocks {
            x = block.forward(self.path, &self.spec, x, &positions)?;
        }
        self.path.rms_norm(x, &self.norm, self.spec.norm_eps as f32)
    }

    /// A fresh gradient map per micro-batch (a reused one keeps every temporary); parameters move out of it.
    pub(super) fn taped<S>(
        &self,
        batch: &MicroBatch,
        flat: &mut [f32],
        loss: impl FnOnce(Taped<D>) -> Res<(T0<D, OwnedTape<f32, D>>, S), D>,
    ) -> Res<S, D> {
        let (loss, sums) = loss(self.hidden(self.embedding.clone().leaky_traced(), batch)?)?;
        let mut map = loss.try_backward()?;
        let mut rest = flat;
        for tensor in self.stored() {
            let n = match &tensor {
                Stored::Vector(t) => t.shape().num_elements(),
                Stored::Matrix(t) => t.shape().num_elements(),
            };
            let (into, tail) = rest.split_at_mut(n);
            match tensor {
                Stored::Vector(t) => D::drain(&mut map, t, into)?,
                Stored::Matrix(t) => D::drain(&mut map, t, into)?,
            }
            rest = tail;
        }
        Ok(sums)
    }
}
