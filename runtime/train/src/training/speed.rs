//! How fast a stage goes, and how near that is to what the machine was measured to reach.

use llmp_stdlib::Event;

use crate::host::Peak;
use crate::settings::Precision;

/// Steps of this run: work and time.
#[derive(Debug)]
pub(super) struct Speed {
    /// FLOP/s of the machine in the precision of the stage.
    peak: Option<f64>,
    tokens: u64,
    flops: f64,
    seconds: f64,
}

impl Speed {
    pub(super) fn new(peak: Option<Peak>, precision: Precision) -> Speed {
        let peak = peak.map(|peak| match precision {
            Precision::F32 => peak.f32,
            Precision::Bf16 => peak.bf16,
        });
        Speed { peak: peak.filter(|peak| *peak > 0.0), tokens: 0, flops: 0.0, seconds: 0.0 }
    }

    /// Adds a step; gives its tokens a second and its MFU.
    pub(super) fn step(&mut self, tokens: u64, flops: f64, seconds: f64) -> (f64, Option<f64>) {
        let one = Speed { peak: self.peak, tokens, flops, seconds: seconds.max(1e-9) };
        self.tokens += tokens;
        self.flops += flops;
        self.seconds += one.seconds;
        one.rates()
    }

    fn rates(&self) -> (f64, Option<f64>) {
        let seconds = self.seconds.max(1e-9);
        (self.tokens as f64 / seconds, self.peak.map(|peak| self.flops / seconds / peak))
    }

    /// What the steps of this run took together; nothing where there were none.
    pub(super) fn event(&self, step: &str) -> Option<Event> {
        let (tokens_per_second, mfu) = self.rates();
        let (step, tokens, seconds) = (step.to_owned(), self.tokens, self.seconds);
        (tokens > 0).then_some(Event::Trained { step, tokens, seconds, tokens_per_second, mfu })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mfu_is_the_share_of_the_peak_of_the_precision_over_all_steps() {
        let peak = Some(Peak { f32: 100.0, bf16: 200.0 });
        let mut speed = Speed::new(peak, Precision::Bf16);
        assert_eq!(speed.step(10, 100.0, 1.0), (10.0, Some(0.5)));
        assert_eq!(speed.step(10, 100.0, 3.0), (10.0 / 3.0, Some(100.0 / 3.0 / 200.0)));
        let Some(Event::Trained { tokens, seconds, mfu, .. }) = speed.event("run") else {
            panic!("no event")
        };
        assert_eq!((tokens, seconds, mfu), (20, 4.0, Some(0.25)));
        assert_eq!(Speed::new(peak, Precision::F32).step(1, 50.0, 1.0).1, Some(0.5));
    }

    #[test]
    fn a_machine_that_was_not_measured_has_no_mfu() {
        let mut speed = Speed::new(None, Precision::F32);
        assert_eq!((speed.step(10, 100.0, 1.0), speed.event("run").is_some()), ((10.0, None), true));
        assert!(Speed::new(None, Precision::F32).event("run").is_none());
    }
}
