//! A straight line from the peak to the floor.

use llmp_stdlib::arg::Length;

use super::{Over, Ramp, Shape, fraction, positive};

llmp_stdlib::def! {
    /// Linear warm-up to the peak, then a straight line down: the usual schedule of an annealing stage.
    ///
    /// ```llmp
    /// schedule = linear()
    /// ```
    Linear = "linear", rev 1, check check {
        /// The highest rate. Without it, the rate at which the stage before ended.
        peak: Option<f64> = "none",
        /// Linear rise from zero: tokens, steps, or a share of the stage.
        warmup: Length = "0%",
        /// The lowest rate, as a fraction of the peak.
        floor: f64 = "0%",
        /// Where the floor is reached.
        over: Over = "stage",
    }
}

fn check(it: &Linear) -> Vec<llmp_stdlib::Problem> {
    let mut problems = it.peak.map(positive).unwrap_or_default();
    problems.extend(fraction("floor", it.floor));
    problems
}

impl Shape for Linear {
    fn ramp(&self) -> Ramp {
        Ramp { peak: self.peak.unwrap_or(f64::NAN), warmup: self.warmup, over: Some(self.over) }
    }

    fn after_warmup(&self, done: f64, left: f64) -> f64 {
        1.0 - (1.0 - self.floor) * done / (done + left)
    }
}
