//! A rate that stays where it is.

use llmp_stdlib::arg::Length;

use super::{Ramp, Shape, positive};

llmp_stdlib::def! {
    /// The rate rises to its peak and stays there.
    ///
    /// ```llmp
    /// schedule = constant(5e-6)
    /// ```
    Constant = "constant", rev 1, check check {
        /// The rate.
        peak: f64,
        /// Linear rise from zero: tokens, steps, or a share of the stage.
        warmup: Length = "0%",
    }
}

fn check(it: &Constant) -> Vec<llmp_stdlib::Problem> {
    positive(it.peak)
}

impl Shape for Constant {
    fn ramp(&self) -> Ramp {
        Ramp { peak: self.peak, warmup: self.warmup, over: None }
    }

    fn after_warmup(&self, _done: f64, _left: f64) -> f64 {
        1.0
    }
}
