//! What a reward model is worth on pairs that it has not seen: accuracy and calibration.

use crate::error::Result;
use crate::losses::sigmoid;
use crate::training;

use super::RewardModel;

/// Bins of the calibration.
const BINS: usize = 10;

/// A reward model on held-out pairs.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Judged {
    /// Pairs.
    pub pairs: u64,
    /// Share of pairs whose chosen answer has the higher reward; a draw counts half.
    pub accuracy: f64,
    /// Standard error of the accuracy.
    pub stderr: f64,
    /// Mean difference of the two rewards.
    pub margin: f64,
    /// Expected calibration error: the mean distance, over ten bins, between the probability that the model gives to its own choice
    /// and how often that is the chosen answer.
    pub calibration: f64,
    /// Mean loss `-log σ(r+ - r-)`.
    pub loss: f64,
}

impl Judged {
    /// From the rewards of the chosen and the rejected answers.
    pub fn of(rewards: &[(f32, f32)]) -> Judged {
        let n = rewards.len() as f64;
        if rewards.is_empty() {
            return Judged::default();
        }
        let ahead = || rewards.iter().map(|(chosen, rejected)| f64::from(*chosen) - f64::from(*rejected));
        let right = |d: f64| if d == 0.0 { 0.5 } else { f64::from(u8::from(d > 0.0)) };
        let accuracy = ahead().map(right).sum::<f64>() / n;
        let mut bins = [(0.0, 0.0, 0.0); BINS];
        for d in ahead() {
            // From one half to 1.
            let sure = sigmoid(d.abs());
            let bin = &mut bins[(((sure - 0.5) * 2.0 * BINS as f64) as usize).min(BINS - 1)];
            *bin = (bin.0 + 1.0, bin.1 + sure, bin.2 + right(d));
        }
        let apart = |(_, sure, right): &(f64, f64, f64)| (sure - right).abs();
        Judged {
            pairs: rewards.len() as u64,
            accuracy,
            stderr: (accuracy * (1.0 - accuracy) / n).sqrt(),
            margin: ahead().sum::<f64>() / n,
            calibration: bins.iter().map(apart).sum::<f64>() / n,
            loss: ahead().map(|d| -crate::losses::log_sigmoid(d)).sum::<f64>() / n,
        }
    }

    /// By the names of metrics.
    pub fn metrics(&self) -> [(&'static str, f64); 6] {
        [
            ("held_out_pairs", self.pairs as f64),
            ("held_out_accuracy", self.accuracy),
            ("held_out_accuracy_stderr", self.stderr),
            ("held_out_margin", self.margin),
            ("held_out_calibration_error", self.calibration),
            ("held_out_loss", self.loss),
        ]
    }
}

/// Judges pairs, given as a stage reads them: the token behind each text is not read.
pub fn judge(model: &RewardModel, pairs: &[training::Example]) -> Result<Judged> {
    let read = |s: &training::Sequence| s.ids[..s.positions()].to_vec();
    let texts: Vec<Vec<u32>> = pairs.iter().flat_map(|pair| pair.iter().take(2).map(read)).collect();
    let rewards = model.score(&texts.iter().map(Vec::as_slice).collect::<Vec<_>>())?;
    Ok(Judged::of(&rewards.chunks_exact(2).map(|both| (both[0], both[1])).collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accuracy_and_calibration() {
        let odds = |p: f64| (p / (1.0 - p)).ln() as f32;
        // Three of four right, each said with 75%: right as often as it says.
        let sure = odds(0.75);
        let judged = Judged::of(&[(sure, 0.0), (sure, 0.0), (sure, 0.0), (0.0, sure)]);
        assert!((judged.accuracy - 0.75).abs() < 1e-9 && judged.calibration < 1e-6, "{judged:?}");
        assert!((judged.stderr - (0.1875f64 / 4.0).sqrt()).abs() < 1e-9);
        // Always right, but said with 60%.
        let unsure = Judged::of(&[(odds(0.6), 0.0); 5]);
        assert!((unsure.calibration - 0.4).abs() < 1e-6, "{unsure:?}");
        assert_eq!(Judged::of(&[(1.0, 1.0)]).accuracy, 0.5);
        assert_eq!(Judged::of(&[]), Judged::default());
    }
}
