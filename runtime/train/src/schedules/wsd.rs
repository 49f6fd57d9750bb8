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
    ///
    /// A decay can also be a stage of its own, so that several branch from one flat run: train it with `constant(1e-3)`,
    /// and let each branch go on `from` it with `wsd(warmup = 0%, decay = 100%)`, which falls from the rate that it finds.
    Wsd = "wsd", rev 1, check check {
        /// The highest rate. Without it, the rate at which the stage before ended.
        peak: Option<f64> = "none",
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
    let mut problems = it.peak.map(positive).unwrap_or_default();
    problems.extend(fraction("floor", it.floor));
    problems.extend(fraction("decay", it.decay));
    problems
}

impl Shape for Wsd {
    fn ramp(&self) -> Ramp {
        Ramp { peak: self.peak.unwrap_or(f64::NAN), warmup: self.warmup, over: Some(self.over) }
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
