//! Half a cosine wave from the peak to the floor (Loshchilov and Hutter 2017, without restarts).

use llmp_stdlib::arg::Length;

use super::{Over, Ramp, Shape, fraction, positive};

llmp_stdlib::def! {
    /// Linear warm-up to the peak, then half a cosine wave down to a fraction of it.
    ///
    /// ```llmp
    /// schedule = cosine(peak = 3e-4, warmup = 8000 steps, floor = 1%, over = 1.2M steps)
    /// ```
    Cosine = "cosine", rev 1, check check {
        /// The highest rate.
        peak: f64,
        /// Linear rise from zero: tokens, steps, or a share of the stage.
        warmup: Length = "2%",
        /// The lowest rate, as a fraction of the peak.
        floor: f64 = "10%",
        /// Where the floor is reached; a stage may stop before it, and stays at the floor after it.
        over: Over = "stage",
    }
}

fn check(it: &Cosine) -> Vec<llmp_stdlib::Problem> {
    let mut problems = positive(it.peak);
    problems.extend(fraction("floor", it.floor));
    problems
}

impl Shape for Cosine {
    fn ramp(&self) -> Ramp {
        Ramp { peak: self.peak, warmup: self.warmup, over: Some(self.over) }
    }

    fn after_warmup(&self, done: f64, left: f64) -> f64 {
        let progress = done / (done + left);
        self.floor + (1.0 - self.floor) * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
    }
}
