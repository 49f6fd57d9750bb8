//! A rate that falls with the root of the steps (Vaswani et al. 2017).

use llmp_stdlib::arg::Length;

use super::{Over, Ramp, Shape, positive};

llmp_stdlib::def! {
    /// Linear warm-up to the peak, then `peak / sqrt(1 + steps / timescale)`, counted from the end of the warm-up.
    ///
    /// ```llmp
    /// schedule = inverse_root(peak = 1e-3, warmup = 4000 steps, timescale = 4000)
    /// ```
    InverseRoot = "inverse_root", rev 1, check check {
        /// The highest rate.
        peak: f64,
        /// Linear rise from zero: tokens, steps, or a share of the stage.
        warmup: Length = "2%",
        /// Steps in which the rate falls to `1 / sqrt(2)` of the peak.
        timescale: u64 = "10_000",
        /// Where the rate stops falling.
        over: Over = "stage",
    }
}

fn check(it: &InverseRoot) -> Vec<llmp_stdlib::Problem> {
    let mut problems = positive(it.peak);
    if it.timescale == 0 {
        problems.push(llmp_stdlib::Problem::error(
            "LLMP0209",
            "timescale",
            "the time scale is at least 1 step",
        ));
    }
    problems
}

impl Shape for InverseRoot {
    fn ramp(&self) -> Ramp {
        Ramp { peak: self.peak, warmup: self.warmup, over: Some(self.over) }
    }

    fn after_warmup(&self, done: f64, _left: f64) -> f64 {
        1.0 / (1.0 + done / self.timescale.max(1) as f64).sqrt()
    }
}
