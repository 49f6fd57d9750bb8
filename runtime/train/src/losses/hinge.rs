//! Hinge loss on the DPO margin (F47; SLiC-HF, Zhao et al. 2023): `max(0, 1 - β h)`, h as in DPO with sums.

use super::{Pair, PairLoss, Slopes, Whole};
use crate::kinds::prefer::Hinge;

impl PairLoss for Hinge {
    fn of(&self, pair: &Pair, _: &Whole) -> Slopes {
        let short = 1.0 - self.beta * (pair.chosen.gain() - pair.rejected.gain());
        if short <= 0.0 {
            return Slopes::default();
        }
        Slopes::of_difference(short, -self.beta, (1.0, 1.0))
    }
}
