//! AdamW (Loshchilov and Hutter 2019) as PyTorch computes it.

use llmp_nn::spec::Role;
use llmp_stdlib::Problem;

use super::{Mup, Rule, betas, count, decay};
#[cfg(feature = "kernels")]
use super::{Slot, Step, pair};

/// Added to the root of the second average where no setting says another.
#[cfg(feature = "kernels")]
pub(super) const EPS: f64 = 1e-8;

llmp_stdlib::choices! {
    /// What the decay of AdamW is multiplied with.
    Coupling = "coupling" {
        /// The rate, as PyTorch does.
        Rate = "rate",
        /// The schedule as a fraction of its peak, as the paper does and AFM.
        Schedule = "schedule",
    }
}

llmp_stdlib::def! {
    /// AdamW: each step first shrinks a weight by `rate * weight_decay`, then moves it by the bias-corrected Adam step.
    ///
    /// The rate comes from the stage's `schedule`. Gains of norms are not decayed.
    ///
    /// ```llmp
    /// optimizer = adamw(betas = [0.9, 0.95], weight_decay = 0.1)
    /// ```
    AdamW = "adamw", rev 1, check check {
        /// Decay of the averages of the gradient and of its square.
        betas: Vec<f64> = "[0.9, 0.95]",
        /// Added to the root of the second average.
        eps: f64 = "1e-8",
        /// Decay of matrices.
        weight_decay: f64 = "0.1",
        /// Paths of parameters that it updates: `"head"`, `"blocks.0"` with all below it, `"blocks.*.attention"` with `*`
        /// for one part. All others stay as they are. An empty list means all.
        on: Vec<String> = "[]",
        /// What the decay is multiplied with. Without the rate it must be far smaller: 1e-5 to 1e-3 are usual.
        coupling: Coupling = "rate",
        /// How rates depend on the width.
        mup: Option<Mup> = "none",
    }
}

/// Above it a decay that the rate does not multiply halves the weights in fewer than 70 steps.
const MOST_UNCOUPLED: f64 = 0.01;

fn check(it: &AdamW) -> Vec<Problem> {
    let mut problems: Vec<Problem> = betas(&it.betas, "[0.9, 0.95]").into_iter().collect();
    if !(it.eps > 0.0 && it.eps < 1.0) {
        let message = format!("eps is above 0 and below 1, not {}", it.eps);
        problems.push(Problem::error("LLMP0209", "eps", message));
    }
    problems.extend(decay(it.weight_decay));
    if it.coupling == Coupling::Schedule && it.weight_decay > MOST_UNCOUPLED {
        let percent = 100.0 * it.weight_decay;
        let message =
            format!("a decay that the rate does not multiply takes {percent}% of a weight in each step");
        let problem = Problem::error("LLMP0209", "weight_decay", message);
        problems.push(problem.fix("use the decay of AFM", "weight_decay", "3.16e-4".to_owned()));
    }
    problems
}

impl Rule for AdamW {
    fn buffers(&self) -> &'static [&'static str] {
        &["first_moments", "second_moments"]
    }

    fn numbers(&self, shape: &[usize], _role: Role) -> Vec<usize> {
        vec![count(shape); 2]
    }

    fn trains(&self, name: &str) -> bool {
        self.on.is_empty() || self.on.iter().any(|path| super::within(path, name))
    }

    /// `m = b1 m + (1 - b1) g`, `v = b2 v + (1 - b2) g^2`; `w = w (1 - shrink) - rate m' / (sqrt(v') + eps)` with
    /// `m' = m / (1 - b1^t)`, `v' = v / (1 - b2^t)`; `shrink` is `rate decay` or `schedule decay`.
    #[cfg(feature = "kernels")]
    fn update(&self, step: &Step, slot: Slot<'_>) -> Result<(), llmp_nn::NnError> {
        let Slot { values, gradient, state: [first, second], decays, .. } = slot;
        let weight_decay = if decays { self.weight_decay } else { 0.0 };
        let shrink = weight_decay
            * match self.coupling {
                Coupling::Rate => step.rate,
                Coupling::Schedule => step.schedule,
            };
        let (lr, betas) = (step.rate, pair(&self.betas));
        let settings = llmp_nn::optim::AdamW { lr, betas, eps: self.eps, weight_decay, step: step.number };
        llmp_nn::optim::adam(&settings, shrink, values, gradient, first, second)
    }
}
