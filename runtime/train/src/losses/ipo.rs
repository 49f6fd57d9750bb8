//! IPO (F24; Azar et al. 2023): `(h - 1 / (2 τ))²`, h as in DPO: of sums as in the paper, or of means as in TRL.

use super::{Pair, PairLoss, Side, Slopes, Whole};
use crate::kinds::prefer::{Ipo, Length};

impl PairLoss for Ipo {
    fn of(&self, pair: &Pair, _: &Whole) -> Slopes {
        let scale = |side: &Side| if self.length == Length::Mean { side.length() } else { 1.0 };
        let scales = (scale(&pair.chosen), scale(&pair.rejected));
        let h = pair.chosen.gain() / scales.0 - pair.rejected.gain() / scales.1;
        let apart = h - 0.5 / self.tau;
        Slopes::of_difference(apart * apart, 2.0 * apart, scales)
    }
}
