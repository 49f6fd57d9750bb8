//! DPO (F23; Rafailov et al. 2023) with label smoothing (F46; cDPO, Mitchell 2023), length-normalised (Tulu 3), beside the
//! negative log-likelihood of the chosen answer (Pang et al. 2024; Llama 3.1).
//!
//! With `h = (log π(y+) - log π_ref(y+)) / n+ - (log π(y-) - log π_ref(y-)) / n-`, n the tokens of an answer with
//! `length = mean` and 1 else: `-(1 - e) log σ(β h) - e log σ(-β h) + w NLL(y+)`. The NLL is divided by the tokens of its answer,
//! or, with `nll_per = token`, by those of all chosen answers of the batch. Tokens that the stage masks are in none of the sums.

use super::{Pair, PairLoss, Side, Slopes, Whole, log_sigmoid, sigmoid};
use crate::kinds::prefer::{Dpo, Length, NllPer};

impl PairLoss for Dpo {
    fn of(&self, pair: &Pair, whole: &Whole) -> Slopes {
        let scale = |side: &Side| if self.length == Length::Mean { side.length() } else { 1.0 };
        let scales = (scale(&pair.chosen), scale(&pair.rejected));
        let h = self.beta * (pair.chosen.gain() / scales.0 - pair.rejected.gain() / scales.1);
        let loss = -(1.0 - self.smoothing) * log_sigmoid(h) - self.smoothing * log_sigmoid(-h);
        let slope = self.beta * (sigmoid(h) - 1.0 + self.smoothing);
        let mut slopes = Slopes::of_difference(loss, slope, scales);
        if self.nll != 0.0 {
            let weight = self.nll
                * match self.nll_per {
                    NllPer::Sequence => 1.0 / pair.chosen.length(),
                    // The mean over pairs of this is the mean over tokens.
                    NllPer::Token => whole.pairs / whole.chosen_tokens.max(1.0),
                };
            slopes.loss -= weight * pair.chosen.logp;
            slopes.chosen -= weight;
        }
        slopes
    }
}
