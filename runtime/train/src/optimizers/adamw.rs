//! AdamW (Loshchilov and Hutter 2019) as PyTorch computes it.

use llmp_stdlib::Problem;

use super::Mup;
use super::others::{betas, decay};

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
        /// Paths of parameters that it updates; an empty list means all.
        on: Vec<String> = "[]",
        /// What the decay is multiplied with.
        coupling: Coupling = "rate",
        /// How rates depend on the width.
        mup: Option<Mup> = "none",
    }
}

fn check(it: &AdamW) -> Vec<Problem> {
    let mut problems: Vec<Problem> = betas(&it.betas, "[0.9, 0.95]").into_iter().collect();
    if !(it.eps > 0.0 && it.eps < 1.0) {
        let message = format!("eps is above 0 and below 1, not {}", it.eps);
        problems.push(Problem::error("LLMP0209", "eps", message));
    }
    problems.extend(decay(it.weight_decay));
    problems
}

impl AdamW {
    /// What this version cannot do of it: arguments with words.
    pub(crate) fn lacks(&self) -> Vec<(&'static str, &'static str, &'static str)> {
        let mut lacks = Vec::new();
        if !self.on.is_empty() {
            lacks.push(("optimizer.on", "a choice of parameters", "[]"));
        }
        if self.coupling != Coupling::Rate {
            lacks.push(("optimizer.coupling", "a decay that the rate does not multiply", "rate"));
        }
        lacks
    }
}
