//! Stochastic gradient descent as PyTorch computes it.

use llmp_nn::spec::Role;
use llmp_stdlib::Problem;

use super::{Rule, count, decay, share};
#[cfg(feature = "kernels")]
use super::{Slot, Step};

llmp_stdlib::def! {
    /// Stochastic gradient descent.
    Sgd = "sgd", rev 1, check check_sgd {
        /// Decay of the momentum; 0 for none.
        momentum: f64 = "0",
        /// Whether the momentum looks ahead.
        nesterov: bool = "false",
        /// Decay of matrices: `weight_decay` times the weight is added to its gradient, before the momentum.
        weight_decay: f64 = "0",
    }
}

fn check_sgd(it: &Sgd) -> Vec<Problem> {
    share("momentum", it.momentum).into_iter().chain(decay(it.weight_decay)).collect()
}

impl Rule for Sgd {
    fn buffers(&self) -> &'static [&'static str] {
        if self.momentum > 0.0 { &["momentum"] } else { &[] }
    }

    fn numbers(&self, shape: &[usize], _role: Role) -> Vec<usize> {
        vec![count(shape); self.buffers().len()]
    }

    /// `g += decay w`; `m = momentum m + g`; `u = g + momentum m` where it looks ahead, else `m`; `w -= rate u`.
    #[cfg(feature = "kernels")]
    fn update(&self, step: &Step, slot: Slot<'_>) -> Result<(), llmp_nn::NnError> {
        use llmp_nn::optim::each;

        let Slot { values, gradient, state: [momentum, _], decays, .. } = slot;
        let decay = if decays { self.weight_decay as f32 } else { 0.0 };
        let (rate, b, ahead) = (step.rate as f32, self.momentum as f32, self.nesterov);
        if momentum.is_empty() {
            return each(values, gradient, [], &|p: f32, g: f32, []: [f32; 0]| {
                (p - rate * (g + decay * p), [])
            });
        }
        each(values, gradient, [momentum], &|p: f32, g: f32, [m]: [f32; 1]| {
            let g = g + decay * p;
            let m = m * b + g;
            (p - rate * if ahead { g + b * m } else { m }, [m])
        })
    }
}
