//! The loss of a micro-batch and its gradients.

use dfdx::prelude::*;

use super::{Model, device_error, recompute};
use crate::blocks::{Notes, Pass, Stored};
use crate::kernels::{HeadForm, Kernels, Noise, Positions, Res, T0, T2};
use crate::{Architecture, Grads, LossSums, MicroBatch, NnError};

/// The loss that balances the experts of a whole batch (Switch form, Fedus et al. 2021): `experts` times the sum of
/// the share of tokens that an expert is given times its mean probability, pooled over all blocks as transformers
/// does. The shares are those of the whole batch, so that cutting it into micro-batches changes nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Balance {
    pull: Vec<f32>,
}

impl Balance {
    /// `hits` are the tokens that each expert is given in the whole batch ([`Model::hits`], summed over micro-batches),
    /// `positions` those of the batch. Nothing for a model without experts or without such a loss.
    pub fn new(spec: &Architecture, hits: &[u64], positions: u64) -> Option<Self> {
        let experts = spec.experts.filter(|e| e.balance > 0.0)?;
        let rows = (spec.layers as u64 * positions).max(1) as f64;
        let one = |hits: &u64| (experts.balance * experts.routed as f64 * *hits as f64 / rows / rows) as f32;
        Some(Self { pull: hits.iter().map(one).collect() })
    }
}

/// What a training step may have besides the loss of the next token.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extras<'a> {
    /// What dropout draws from; without it nothing is dropped.
    pub noise: Option<Noise>,
    /// The loss that balances experts.
    pub balance: Option<&'a Balance>,
    /// Weight of the penalty on the squared log of the softmax's denominator; 0 asks for none.
    pub z_loss: f32,
}

/// The residual stream on a tape.
type Taped<D> = T2<D, OwnedTape<f32, D>>;

impl<D: Kernels> Model<D> {
    /// Tokens that each expert is given, over all blocks; empty without experts.
    pub fn hits(&self, batch: &MicroBatch) -> Result<Vec<u64>, NnError> {
        const OP: &str = "routing";
        batch.validate(&self.spec, OP)?;
        if batch.positions() == 0 || self.spec.experts.is_none() {
            return Ok(self.spec.experts.map_or_else(Vec::new, |e| vec![0; e.routed]));
        }
        let notes = Notes::new(Vec::new());
        self.hidden(self.embedding.clone(), batch, None, &notes).map_err(device_error(OP))?;
        Ok(notes.hits())
    }

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
        self.loss_and_grads_with(batch, normaliser, Extras::default(), grads).map(|(sums, _)| sums)
    }

    /// The same with what a stage may add. The second number is this micro-batch's part of the loss that balances experts.
    pub fn loss_and_grads_with(
        &self,
        batch: &MicroBatch,
        normaliser: f64,
        extras: Extras<'_>,
        grads: &mut Grads,
    ) -> Result<(LossSums, f64), NnError> {
        const OP: &str = "training step";
        self.check_step(OP, batch, normaliser, grads)?;
        if batch.positions() == 0 {
            return Ok((LossSums::default(), 0.0));
        }
        let form = self.head_form(extras.z_loss);
        self.taped(OP, batch, grads.flat_mut(), extras, |x| {
            let loss = self.path.head_loss(x, self.head_weight(), &batch.targets, normaliser, form);
            loss.map_err(device_error(OP))
        })
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
            let x = self.hidden(self.embedding.clone(), batch, None, &Notes::new(Vec::new()))?;
            Ok(self.path.head_loss(x, self.head_weight(), &batch.targets, 1.0, self.head_form(0.0))?.1)
        };
        run().map_err(device_error(OP))
    }

    /// The residual stream after the final norm. The tape starts at the embedding: gradients are kept by
    /// identity, so one taped input serves all parameters.
    pub(super) fn hidden<T: Tape<f32, D> + Merge<T>>(
        &self,
        table: T2<D, T>,
        batch: &MicroBatch,
        noise: Option<Noise>,
        notes: &Notes<D, T>,
    ) -> Res<T2<D, T>, D> {
        let spec = &self.spec;
        let positions = spec.pattern.iter().map(|reach| Positions::new(spec, &self.rope, batch, *reach));
        let pass = Pass { path: self.path, spec, positions: positions.collect(), noise, notes };
        let mut x = self.path.embed(table, &batch.inputs)?;
        if let Some(scale) = spec.embedding_scale {
            x = x.try_mul(scale as f32)?;
        }
        if let Some(table) = &self.positions {
            let places: Vec<u32> = (0..batch.rows).flat_map(|_| 0..batch.length as u32).collect();
            let table = table.clone().put_tape(T::default());
            x = self.path.add(x, self.path.embed(table, &places)?)?;
        }
        x = pass.dropout(x, 0)?;
        for (index, block) in self.blocks.iter().enumerate() {
            // What routers say belongs to the tape of the whole model, so their blocks keep what they computed.
            x = if self.recompute && spec.experts.is_none() {
                recompute::forward(block, &pass, index, x)?
            } else {
                block.forward(&pass, index, x)?
            };
        }
        self.norm.forward(self.path, x)
    }

    /// What logits are bent to stay within.
    pub(super) fn logit_cap(&self) -> Option<f32> {
        self.spec.logit_cap.map(|cap| cap as f32)
    }

    /// What the head does with its logits.
    pub(super) fn head_form(&self, z_loss: f32) -> HeadForm {
        HeadForm { cap: self.logit_cap(), z_loss }
    }

    /// One forward pass to what `head` makes of the residual stream, and one backward pass from its loss. The second number is
    /// the part of the loss that balances experts.
    pub(super) fn taped<S>(
        &self,
        op: &'static str,
        batch: &MicroBatch,
        flat: &mut [f32],
        extras: Extras<'_>,
        head: impl FnOnce(Taped<D>) -> Result<(T0<D, OwnedTape<f32, D>>, S), NnError>,
    ) -> Result<(S, f64), NnError> {
        let notes = Notes::new(extras.balance.map_or_else(Vec::new, |b| b.pull.clone()));
        let table = self.embedding.clone().leaky_traced();
        let x = self.hidden(table, batch, extras.noise, &notes).map_err(device_error(op))?;
        let (loss, sums) = head(x)?;
        let balanced = self.backward(loss, &notes, flat).map_err(device_error(op))?;
        Ok((sums, balanced))
    }

    /// A fresh gradient map per micro-batch (a reused one keeps every temporary); parameters move out of it.
    fn backward(
        &self,
        mut loss: T0<D, OwnedTape<f32, D>>,
        notes: &Notes<D, OwnedTape<f32, D>>,
        flat: &mut [f32],
    ) -> Res<f64, D> {
        let mut balanced = 0.0;
        if let Some(balance) = notes.balance() {
            balanced = balance.as_vec().first().map_or(0.0, |b| f64::from(*b));
            loss = loss.try_add(balance)?;
        }
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
        Ok(balanced)
    }
}
