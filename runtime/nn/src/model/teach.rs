//! A teacher's predictions and a student's training step on them.

use dfdx::prelude::*;

use super::{Extras, Model, device_error};
use crate::blocks::Notes;
use crate::kernels::distill::{DistillSums, Divergence, Lesson, Pick, Targets, Taught, pick};
use crate::kernels::{Kernels, Res};
use crate::{Grads, MicroBatch, NnError};

/// What a student learns from; see [`Lesson`].
#[derive(Debug)]
pub enum Teaching<'a, D: Kernels = Cpu> {
    /// A few tokens of the teacher beside the true one.
    Tokens {
        /// The teacher's tokens at every position.
        targets: &'a Targets,
        /// Weight of the teacher's tokens.
        teacher: f32,
        /// Weight of the true token.
        truth: f32,
    },
    /// The whole distribution, the mean of several teachers.
    Whole {
        /// The teachers.
        teachers: &'a [&'a Model<D>],
        /// Softens both sides.
        temperature: f32,
        /// How the two distributions are compared.
        divergence: Divergence,
    },
    /// The same with [`Divergence::Forward`], where the teachers have read the batch before ([`Model::states`]): only their heads run.
    States {
        /// The teachers with their states.
        teachers: &'a [(&'a Model<D>, &'a [f32])],
        /// Softens both sides.
        temperature: f32,
    },
}

impl<D: Kernels> Model<D> {
    /// Sums of the distillation loss over a micro-batch, and its gradients added to `grads`; as
    /// [`Model::loss_and_grads`].
    pub fn distill_and_grads(
        &self,
        batch: &MicroBatch,
        normaliser: f64,
        teaching: &Teaching<'_, D>,
        extras: Extras<'_>,
        grads: &mut Grads,
    ) -> Result<DistillSums, NnError> {
        const OP: &str = "distillation step";
        self.check_step(OP, batch, normaliser, grads)?;
        if batch.positions() == 0 {
            return Ok(DistillSums::default());
        }
        let step = |lesson: &Lesson<'_, D>, grads: &mut Grads| {
            let step = self.taped(OP, batch, grads.flat_mut(), extras, |x| {
                let (w, form) = (self.head_weight(), self.head_form(extras.z_loss));
                let loss = self.path.distill_loss(x, w, &batch.targets, lesson, normaliser, form);
                loss.map_err(device_error(OP))
            });
            step.map(|(sums, _)| sums)
        };
        match teaching {
            Teaching::Tokens { targets, teacher, truth } => {
                targets.validate(OP, batch.positions(), self.spec.vocab)?;
                step(&Lesson::Tokens { targets, teacher: *teacher, truth: *truth }, grads)
            }
            Teaching::Whole { teachers, temperature, divergence } => {
                check_temperature(OP, *temperature)?;
                let taught = taught(OP, teachers, batch)?;
                self.check_vocabulary(OP, teachers)?;
                let (temperature, divergence) = (*temperature, *divergence);
                step(&Lesson::Whole { teachers: &taught, temperature, divergence }, grads)
            }
            Teaching::States { teachers, temperature } => {
                check_temperature(OP, *temperature)?;
                let models: Vec<&Model<D>> = teachers.iter().map(|(teacher, _)| *teacher).collect();
                self.check_vocabulary(OP, &models)?;
                let said = teachers.iter().map(|&(teacher, states)| teacher.said(OP, batch, states));
                let taught = said.collect::<Result<Vec<_>, _>>()?;
                let (temperature, divergence) = (*temperature, Divergence::Forward);
                step(&Lesson::Whole { teachers: &taught, temperature, divergence }, grads)
            }
        }
    }

    /// Where the last norm leaves every position of a batch: all that the head needs to predict.
    pub fn states(&self, batch: &MicroBatch) -> Result<Vec<f32>, NnError> {
        const OP: &str = "states";
        Ok(taught(OP, &[self], batch)?.into_iter().flat_map(|(x, ..)| x.as_vec()).collect())
    }

    /// What [`Model::states`] gave, with the head.
    fn said(&self, op: &'static str, batch: &MicroBatch, states: &[f32]) -> Result<Taught<'_, D>, NnError> {
        let shape = (batch.positions(), self.spec.width);
        if states.len() != shape.0 * shape.1 {
            return Err(NnError::Mismatch {
                op,
                left_name: "the teacher's states".into(),
                left: states.len(),
                right_name: "the batch".into(),
                right: shape.0 * shape.1,
            });
        }
        let x = self.device.try_tensor_from_vec(states.to_vec(), shape).map_err(device_error(op))?;
        Ok((x, self.head_weight(), self.logit_cap()))
    }

    fn check_vocabulary(&self, op: &'static str, teachers: &[&Model<D>]) -> Result<(), NnError> {
        match teachers.iter().find(|t| t.spec.vocab != self.spec.vocab) {
            None => Ok(()),
            Some(teacher) => Err(NnError::Mismatch {
                op,
                left_name: "the teacher's vocabulary".into(),
                left: teacher.spec.vocab,
                right_name: "the student's".into(),
                right: self.spec.vocab,
            }),
        }
    }
}

fn check_temperature(op: &'static str, temperature: f32) -> Result<(), NnError> {
    if temperature.is_finite() && temperature > 0.0 {
        return Ok(());
    }
    let reason = format!("the temperature is {temperature}; it must be above 0");
    Err(NnError::Input { op, reason })
}

/// Tokens that the mean of the teachers' distributions is cut down to at every position of a batch. `streams` names
/// the random stream of each position.
pub fn teach<D: Kernels>(
    teachers: &[&Model<D>],
    batch: &MicroBatch,
    choice: Pick,
    streams: &(dyn Fn(usize) -> u64 + Sync),
) -> Result<Targets, NnError> {
    const OP: &str = "teacher's predictions";
    let taught = taught(OP, teachers, batch)?;
    if let [first, rest @ ..] = teachers {
        first.check_vocabulary(OP, rest)?;
    }
    pick(&taught, &batch.targets, choice, streams).map_err(device_error(OP))
}

/// Where the teachers' last norms leave the batch, with their heads.
fn taught<'a, D: Kernels>(
    op: &'static str,
    teachers: &[&'a Model<D>],
    batch: &MicroBatch,
) -> Result<Vec<Taught<'a, D>>, NnError> {
    if teachers.is_empty() {
        return Err(NnError::Input { op, reason: "nobody teaches".into() });
    }
    let one = |teacher: &&'a Model<D>| {
        batch.validate(&teacher.spec, op)?;
        let run = || -> Res<Taught<'a, D>, D> {
            let x = teacher.hidden(teacher.embedding.clone(), batch, None, &Notes::new(Vec::new()))?;
            Ok((x, teacher.head_weight(), teacher.logit_cap()))
        };
        run().map_err(device_error(op))
    };
    teachers.iter().map(one).collect()
}
