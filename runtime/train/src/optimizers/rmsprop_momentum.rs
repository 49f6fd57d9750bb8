//! RMSProp with momentum on the normalised update (Gunter et al. 2024, section 3.2; AXLearn's `adastar_optimizer`).

use llmp_nn::spec::Role;
use llmp_stdlib::Problem;

use super::{Mup, Rule, betas, count, decay};
#[cfg(feature = "kernels")]
use super::{Slot, Step, pair};

llmp_stdlib::def! {
    /// RMSProp with momentum on the normalised update (AFM, AXLearn's AdaStar): the gradient is divided by the root of its
    /// average square, clipped to a root mean square of `block_clip` in each parameter, then averaged. The decay is
    /// multiplied with the schedule but not with the rate.
    RmspropMomentum = "rmsprop_momentum", rev 1, check check_rmsprop {
        /// Decay of the average of updates and of the average of squares.
        betas: Vec<f64> = "[0.95, 0.95]",
        /// Added to the square of the gradient.
        eps_square: f64 = "1e-30",
        /// Largest root mean square of the update of one parameter.
        block_clip: f64 = "1.0",
        /// Steps whose gradient has a larger norm are left out.
        skip_above: Option<f64> = "100",
        /// Decay of matrices, not multiplied with the rate.
        weight_decay: f64 = "3.16e-4",
        /// How rates depend on the width.
        mup: Option<Mup> = "none",
    }
}

fn check_rmsprop(it: &RmspropMomentum) -> Vec<Problem> {
    betas(&it.betas, "[0.95, 0.95]").into_iter().chain(decay(it.weight_decay)).collect()
}

impl Rule for RmspropMomentum {
    fn buffers(&self) -> &'static [&'static str] {
        &["first_moments", "second_moments"]
    }

    fn numbers(&self, shape: &[usize], _role: Role) -> Vec<usize> {
        vec![count(shape); 2]
    }

    fn leaves_out(&self, norm: f64) -> bool {
        self.skip_above.is_some_and(|most| norm >= most)
    }

    /// `v = b2 v + (1 - b2) (g^2 + eps)`; `u = g / sqrt(v / (1 - b2^t))`, `u /= max(1, rms(u) / block_clip)`;
    /// `m = b1 m + (1 - b1) u`; `w -= rate m + schedule decay w`, the schedule as a fraction of its peak.
    #[cfg(feature = "kernels")]
    fn update(&self, step: &Step, slot: Slot<'_>) -> Result<(), llmp_nn::NnError> {
        use llmp_nn::optim;

        let Slot { values, gradient, state, decays, .. } = slot;
        let [first, second] = state;
        let (beta1, beta2) = pair(&self.betas);
        let (b1, c1, b2, c2) = (beta1 as f32, (1.0 - beta1) as f32, beta2 as f32, (1.0 - beta2) as f32);
        let eps = self.eps_square as f32;
        optim::each(second, gradient, [], &|v: f32, g: f32, []: [f32; 0]| (v * b2 + (g * g + eps) * c2, []))?;
        let unbias = 1.0 - beta2.powi(i32::try_from(step.number).unwrap_or(i32::MAX));
        let squares = optim::sum([gradient, second], &|[g, v]: [f32; 2]| {
            let (g, v) = (f64::from(g), f64::from(v));
            g * g * unbias / v
        });
        let rms = (squares / gradient.len().max(1) as f64).sqrt();
        let by = (unbias.sqrt() / (rms / self.block_clip).max(1.0)) as f32;
        let keep = if decays { (1.0 - step.schedule * self.weight_decay) as f32 } else { 1.0 };
        let rate = step.rate as f32;
        optim::each(values, gradient, [first, second], &|p: f32, g: f32, [m, v]: [f32; 2]| {
            let m = m * b1 + g / v.sqrt() * by * c1;
            (p * keep - rate * m, [m, v])
        })
    }
}
