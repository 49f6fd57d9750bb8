//! What the caller of a long run supplies: a clock, a stop flag, a listener, failpoints.

use std::sync::atomic::{AtomicBool, Ordering};

use llmp_stdlib::Event;
use serde::{Deserialize, Serialize};

/// The best rates of matrix products that a machine was measured to reach, in FLOP/s.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Peak {
    /// In 32 bits.
    pub f32: f64,
    /// With operands rounded to bf16.
    pub bf16: f64,
}

/// The caller's side of a run. [`Host::quiet`] never stops, tells nobody and fails nowhere.
#[derive(Clone, Copy)]
pub struct Host<'a> {
    /// Name of the step for events and errors.
    pub step: &'a str,
    /// Seconds since any fixed moment, never falling. Decides when to save, never what is computed.
    pub clock: &'a (dyn Fn() -> f64 + Sync),
    /// Raised from outside (Ctrl-C): the run saves and ends.
    pub stop: &'a AtomicBool,
    /// Hears what happens.
    pub event: &'a (dyn Fn(Event) + Sync),
    /// Called with a name around every write and rename; a test ends the process there.
    pub failpoint: &'a (dyn Fn(&str) + Sync),
    /// The numerics class (device, instruction set, products, precision): a checkpoint of another one is refused.
    pub numerics: &'a str,
    /// What the machine was measured to reach, where it was: what MFU refers to. Decides nothing that is computed.
    pub peak: Option<Peak>,
    /// Computes the steps of training; the processor does where there is none.
    #[cfg(feature = "kernels")]
    pub gpu: Option<&'a llmp_nn::Gpu>,
}

impl Host<'_> {
    /// A host without a clock, listener or failpoints.
    pub fn quiet() -> Host<'static> {
        static NEVER: AtomicBool = AtomicBool::new(false);
        Host {
            step: "",
            clock: &|| 0.0,
            stop: &NEVER,
            event: &|_| {},
            failpoint: &|_| {},
            numerics: "",
            peak: None,
            #[cfg(feature = "kernels")]
            gpu: None,
        }
    }

    /// Whether the run was asked to stop.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    #[cfg(feature = "kernels")]
    pub(crate) fn tell(&self, event: Event) {
        (self.event)(event);
    }

    #[cfg(feature = "kernels")]
    pub(crate) fn at(&self, failpoint: &str) {
        (self.failpoint)(failpoint);
    }
}

impl std::fmt::Debug for Host<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host")
            .field("step", &self.step)
            .field("numerics", &self.numerics)
            .finish_non_exhaustive()
    }
}
