//! SimPO (F48; Meng et al. 2024): `-log σ(β (m+ - m-) - γ)`, m the mean log-probability of an answer's tokens; no reference.

use super::{Pair, PairLoss, Slopes, Whole, log_sigmoid, sigmoid};
use crate::kinds::prefer::Simpo;

impl PairLoss for Simpo {
    fn of(&self, pair: &Pair, _: &Whole) -> Slopes {
        let lengths = (pair.chosen.length(), pair.rejected.length());
        let means = (pair.chosen.logp / lengths.0, pair.rejected.logp / lengths.1);
        let h = self.beta * (means.0 - means.1) - self.gamma;
        Slopes::of_difference(-log_sigmoid(h), -self.beta * sigmoid(-h), lengths)
    }
}
