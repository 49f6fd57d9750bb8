//! Models that a policy is held to: the one that it started from, another, or a moving average of itself.

use llmp_nn::{Cpu, MicroBatch, Model};

use super::To;
use crate::error::Result;
use crate::kinds::rl::Anchor;

/// What the moving average takes of the policy at each gradient step (WARP).
const TAKES: f64 = 0.01;

/// What a checkpoint calls the average.
pub(super) const AVERAGE: &str = "anchor";

impl From<Anchor> for To {
    fn from(anchor: Anchor) -> To {
        match anchor {
            Anchor::From => To::From,
            Anchor::Ema => To::Ema,
        }
    }
}

/// Models beside the policy.
#[derive(Debug, Default)]
pub(super) struct Anchors {
    /// Those that stay as they are, by what the policy is held to.
    pub(super) fixed: Vec<(To, Model)>,
    /// All numbers of the moving average, where there is one: before the first step none.
    pub(super) average: Option<Vec<f32>>,
}

impl Anchors {
    /// Takes a part of the policy into the average; at first all of it.
    pub(super) fn follow(&mut self, policy: &Model) {
        let Some(average) = &mut self.average else { return };
        let weights = policy.to_flat();
        if average.is_empty() {
            *average = weights;
            return;
        }
        for (mean, weight) in average.iter_mut().zip(weights) {
            let (before, now) = (f64::from(*mean), f64::from(weight));
            *mean = (before + TAKES * (now - before)) as f32;
        }
    }

    /// Log-probabilities of the targets of micro-batches under a model that the policy is held to.
    pub(super) fn log_probs(&self, to: To, policy: &Model, micros: &[MicroBatch]) -> Result<Vec<Vec<f32>>> {
        let of = |model: &Model| micros.iter().map(|micro| Ok(model.log_probs(micro)?)).collect();
        if let (To::Ema, Some(average)) = (to, &self.average) {
            return of(&Model::from_flat(Cpu::default(), policy.spec().clone(), average)?);
        }
        // What is not there would be the policy itself: a log-ratio of 0.
        let fixed = self.fixed.iter().find(|(own, _)| *own == to).map_or(policy, |(_, model)| model);
        of(fixed)
    }
}
