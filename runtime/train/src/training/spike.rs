//! When a loss has jumped, and what is done about it.
//!
//! After OLMo-core's `SkipStepOptimizer`, which looks at gradient norms as well: a loss jumps when it lies more than six
//! standard deviations above the mean of the 128 losses before it; the first 64 of a stage are never judged. Losses of steps
//! that were left out count for later ones: a level that stays is not refused for ever.

use crate::error::{Result, TrainError};
use crate::settings::{OnSpike, SpikePolicy};

/// Losses that are looked back at.
const WINDOW: usize = 128;

/// Losses before the first judgement.
const FEWEST: usize = 64;

/// Standard deviations that a loss may lie above the mean.
const DEVIATIONS: f64 = 6.0;

/// The losses of the last steps, oldest first; none are kept without a policy.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Watch {
    pub(super) losses: Vec<f64>,
}

impl Watch {
    /// The highest loss that is no jump.
    fn most(&self) -> Option<f64> {
        if self.losses.len() < FEWEST {
            return None;
        }
        let count = self.losses.len() as f64;
        let mean = self.losses.iter().sum::<f64>() / count;
        let squares: f64 = self.losses.iter().map(|loss| (loss - mean).powi(2)).sum();
        Some(mean + DEVIATIONS * (squares / (count - 1.0)).sqrt())
    }

    /// The highest loss that would have been no jump, where step `step` of the stage is left out. Errors: its loss jumped
    /// and the policy is to stop.
    pub(super) fn leaves_out(
        &mut self,
        policy: Option<&OnSpike>,
        loss: f64,
        stage: &str,
        step: u64,
    ) -> Result<Option<f64>> {
        let Some(policy) = policy else { return Ok(None) };
        let most = self.most().filter(|most| loss > *most);
        if let (Some(most), OnSpike::Policy(SpikePolicy::Stop)) = (most, policy) {
            return Err(TrainError::Spike { stage: stage.to_owned(), step, loss, most });
        }
        if self.losses.len() == WINDOW {
            self.losses.remove(0);
        }
        self.losses.push(loss);
        Ok(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SKIP: OnSpike = OnSpike::Policy(SpikePolicy::Skip);

    /// Losses of 2.9 and 3.1 in turn: mean 3, deviation about 0.1.
    fn steady(count: usize) -> Watch {
        Watch { losses: (0..count).map(|i| if i % 2 == 0 { 2.9 } else { 3.1 }).collect() }
    }

    #[test]
    fn six_deviations_above_the_mean_are_a_jump() {
        let judge = |mut watch: Watch, loss| watch.leaves_out(Some(&SKIP), loss, "run", 9).unwrap().is_some();
        assert!(!judge(steady(128), 3.59) && judge(steady(128), 3.61) && !judge(steady(128), 0.1));
        assert!(judge(steady(64), 3.7) && !judge(steady(63), 30.0));
        assert!(steady(128).leaves_out(None, 30.0, "run", 9).unwrap().is_none());
        let stop = OnSpike::Policy(SpikePolicy::Stop);
        let error = steady(128).leaves_out(Some(&stop), 5.0, "run", 9).unwrap_err();
        assert_eq!(error.to_string(), "`run`: the loss jumped to 5.000 at step 9, above 3.602");
    }

    #[test]
    fn a_level_that_stays_is_taken_up() {
        let mut watch = steady(128);
        let skipped =
            (0..200).filter(|_| watch.leaves_out(Some(&SKIP), 5.0, "run", 9).unwrap().is_some()).count();
        assert!((1..20).contains(&skipped), "{skipped}");
        assert_eq!(watch.losses.len(), 128);
    }
}
