//! Warm-up, stable, decay (Hu et al. 2024).

use llmp_stdlib::arg::Length;

use super::{Over, Ramp, Shape, fraction, positive};

llmp_stdlib::choices! {
    /// How a decay falls.
    Decay = "decay" {
        /// A straight line.
        Line = "line",
        /// One minus the square root of the share done (Hägele et al. 2024).
        Sqrt = "sqrt",
    }
}

llmp_stdlib::def! {
    /// Linear warm-up, a long flat part at the peak, then a decay at the end of the horizon.
    ///
    /// ```llmp
    /// schedule = wsd(peak = 1e-3, decay = 10%)
    /// ```
    Wsd = "wsd", rev 1, check check {
        /// The highest rate.
        peak: f64,
        /// Linear rise from zero: tokens, steps, or a share of the stage.
        warmup: Length = "2%",
        /// The part of the steps after the warm-up in which the rate falls, as a fraction.
        decay: f64 = "20%",
        /// How it falls.
        shape: Decay = "sqrt",
        /// The lowest rate, as a fraction of the peak.
        floor: f64 = "0%",
        /// Where the floor is reached.
        over: Over = "stage",
    }
}

fn check(it: &Wsd) -> Vec<llmp_stdlib::Problem> {
    let mut problems = positive(it.peak);
    problems.extend(fraction("floor", it.floor));
    problems.extend(fraction("decay", it.decay));
    problems
}

impl Shape for Wsd {
    fn ramp(&self) -> Ramp {
        Ramp { peak: self.peak, warmup: self.warmup, over: Some(self.over) }
    }

    fn after_warmup(&self, done: f64, left: f64) -> f64 {
        let start = 1.0 - self.decay;
        let fallen = (done / (done + left) - start).max(0.0) / self.decay.max(f64::MIN_POSITIVE);
        let share = match self.shape {
            Decay::Line => fallen,
            Decay::Sqrt => fallen.sqrt(),
        };
        1.0 - (1.0 - self.floor) * share.min(1.0)
    }
}
