//! ORPO (F49; Hong et al. 2024): `-m+ - λ log σ(o+ - o-)`, m the mean log-probability of an answer's tokens and
//! `o = m - log(1 - e^m)` the log of its odds; no reference.
//!
//! The NLL is that of the chosen answer alone, each by its own length, as in the paper; TRL takes the prompt in and one mean over
//! the tokens of the batch.

use super::{Pair, PairLoss, Slopes, Whole, log_sigmoid, sigmoid};
use crate::kinds::prefer::Orpo;

/// The log-odds of a mean log-probability, and their slope. A probability of 1 counts as the nearest below it.
fn odds(mean: f64) -> (f64, f64) {
    let rest = -mean.min(-f64::EPSILON).exp_m1();
    (mean - rest.ln(), 1.0 / rest)
}

impl PairLoss for Orpo {
    fn of(&self, pair: &Pair, _: &Whole) -> Slopes {
        let lengths = (pair.chosen.length(), pair.rejected.length());
        let mean = pair.chosen.logp / lengths.0;
        let ((chosen, up), (rejected, down)) = (odds(mean), odds(pair.rejected.logp / lengths.1));
        let h = chosen - rejected;
        let slope = -self.weight * sigmoid(-h);
        Slopes {
            loss: -mean - self.weight * log_sigmoid(h),
            chosen: (slope * up - 1.0) / lengths.0,
            rejected: -slope * down / lengths.1,
        }
    }
}
