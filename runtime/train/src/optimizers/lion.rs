//! Lion (Chen et al. 2023, algorithm 2).

use llmp_nn::spec::Role;
use llmp_stdlib::Problem;

use super::{Rule, betas, count, decay};
#[cfg(feature = "kernels")]
use super::{Slot, Step, pair};

llmp_stdlib::def! {
    /// Lion: the sign of an interpolation between momentum and gradient (Chen et al. 2023). Its rate is 3 to 10 times
    /// smaller than AdamW's.
    Lion = "lion", rev 1, check check_lion {
        /// Weight of the momentum in the update, and its decay.
        betas: Vec<f64> = "[0.9, 0.99]",
        /// Decay of matrices, multiplied by the rate.
        weight_decay: f64 = "1.0",
    }
}

fn check_lion(it: &Lion) -> Vec<Problem> {
    betas(&it.betas, "[0.9, 0.99]").into_iter().chain(decay(it.weight_decay)).collect()
}

impl Rule for Lion {
    fn buffers(&self) -> &'static [&'static str] {
        &["momentum"]
    }

    fn numbers(&self, shape: &[usize], _role: Role) -> Vec<usize> {
        vec![count(shape)]
    }

    /// `w -= rate (sign(b1 m + (1 - b1) g) + decay w)`, then `m = b2 m + (1 - b2) g`.
    #[cfg(feature = "kernels")]
    fn update(&self, step: &Step, slot: Slot<'_>) -> Result<(), llmp_nn::NnError> {
        let (beta1, beta2) = pair(&self.betas);
        let (b1, c1, b2, c2) = (beta1 as f32, (1.0 - beta1) as f32, beta2 as f32, (1.0 - beta2) as f32);
        let keep = if slot.decays { (1.0 - step.rate * self.weight_decay) as f32 } else { 1.0 };
        let rate = step.rate as f32;
        let [momentum, _] = slot.state;
        llmp_nn::optim::each(slot.values, slot.gradient, [momentum], &|p: f32, g: f32, [m]: [f32; 1]| {
            let towards = m * b1 + g * c1;
            let sign = if towards == 0.0 { 0.0 } else { 1f32.copysign(towards) };
            (p * keep - rate * sign, [m * b2 + g * c2])
        })
    }
}
