//! The weights that a stage gives where they are made from several of its moments.

use std::collections::BTreeMap;

use llmp_nn::{Cpu, Model};

use crate::course::Course;
use crate::error::{Result, TrainError};
use crate::settings::{Averaging, Publish};

const MEAN: &str = "average";
const REST: &str = "average_rest";

/// A running mean of the weights: two floats a weight, their sum is the mean to 48 bits.
///
/// It is exactly what a checkpoint holds, so a stage that goes on from one gives the same mean.
#[derive(Debug)]
pub(crate) struct Average {
    rule: Averaging,
    mean: Vec<f32>,
    rest: Vec<f32>,
    /// Moments taken.
    pub(crate) taken: u64,
}

impl Average {
    /// The mean that a stage asks for, before its first moment.
    pub(super) fn new(publish: &Publish, parameters: usize) -> Option<Average> {
        let Publish::Averaged(rule) = publish else { return None };
        let zeros = || vec![0.0; parameters];
        Some(Average { rule: rule.clone(), mean: zeros(), rest: zeros(), taken: 0 })
    }

    /// Takes the weights after `done` steps where they are one of the moments.
    pub(super) fn take(&mut self, model: &Model, course: &Course, done: u64) {
        let share = match &self.rule {
            Averaging::Average(it) if it.of.hold(course, done) => 1.0 / (self.taken + 1) as f64,
            Averaging::Average(_) => return,
            Averaging::Ema(_) if self.taken == 0 => 1.0,
            Averaging::Ema(it) => 1.0 - it.decay,
        };
        self.taken += 1;
        let weights = model.params().into_iter().flatten();
        for ((mean, rest), weight) in self.mean.iter_mut().zip(&mut self.rest).zip(weights) {
            let before = f64::from(*mean) + f64::from(*rest);
            let after = before + (f64::from(*weight) - before) * share;
            *mean = after as f32;
            *rest = (after - f64::from(*mean)) as f32;
        }
    }

    /// The end of the stage moves away: its last moments are none of those that were taken.
    pub(super) fn postpone(&mut self) {
        if matches!(&self.rule, Averaging::Average(it) if it.of.count_back()) {
            self.taken = 0;
        }
    }

    /// What a checkpoint holds of it.
    pub(super) fn buffers(&self) -> [(&'static str, &[f32]); 2] {
        [(MEAN, &self.mean), (REST, &self.rest)]
    }

    /// Takes back what a checkpoint held.
    pub(super) fn restore(
        &mut self,
        saved: &mut BTreeMap<String, Vec<f32>>,
        taken: u64,
    ) -> Result<(), String> {
        for (name, buffer) in [(MEAN, &mut self.mean), (REST, &mut self.rest)] {
            let found = saved.remove(name).filter(|found| found.len() == buffer.len());
            *buffer = found.ok_or_else(|| format!("it has no `{name}` of this model"))?;
        }
        self.taken = taken;
        Ok(())
    }

    /// The model with the mean for its weights.
    pub(super) fn model(&self, last: &Model) -> Result<Model> {
        if self.taken == 0 {
            let message = "no moment of the stage is reached, so there is nothing to average: lower `every`";
            return Err(TrainError::Settings(message.to_owned()));
        }
        Ok(Model::from_flat(Cpu::default(), last.spec().clone(), &self.mean)?)
    }
}
