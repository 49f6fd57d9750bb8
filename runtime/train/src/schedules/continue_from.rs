//! A schedule that goes on where another stage's stopped.

use llmp_stdlib::arg::{Length, ModelRef};

use super::{Ramp, Shape};

llmp_stdlib::def! {
    /// Goes on with the schedule of an earlier stage, at the step at which that stage ended.
    ///
    /// ```llmp
    /// schedule = continue_from(core)
    /// ```
    ContinueFrom = "continue_from", rev 1 {
        /// The stage whose schedule goes on; it must be one of those that this stage goes back to.
        stage: ModelRef,
    }
}

/// In a plan it is replaced by the schedule that goes on, so no rate is ever read from it.
impl Shape for ContinueFrom {
    fn ramp(&self) -> Ramp {
        Ramp { peak: f64::NAN, warmup: Length::Steps(0), over: None }
    }

    fn after_warmup(&self, _done: f64, _left: f64) -> f64 {
        f64::NAN
    }
}
