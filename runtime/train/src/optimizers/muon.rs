//! Muon (Jordan et al. 2024) for matrices of blocks, AdamW for the rest.

use llmp_nn::spec::Role;
use llmp_stdlib::Problem;

use super::{Rule, betas, count, decay, share};
#[cfg(feature = "kernels")]
use super::{Slot, Step, adamw::EPS, pair};

llmp_stdlib::choices! {
    /// How the orthogonal update of a matrix is scaled.
    MuonScale = "scale" {
        /// By `sqrt(max(1, rows / columns))`.
        Shape = "shape",
        /// By `0.2 sqrt(max(rows, columns))`, so that AdamW's rates fit.
        Rms = "rms",
    }
}

llmp_stdlib::def! {
    /// Muon: the momentum of each matrix is made orthogonal by Newton-Schulz steps; embeddings, head, gains and biases
    /// are updated by AdamW (Jordan et al. 2024).
    Muon = "muon", rev 1, check check_muon {
        /// Decay of the momentum.
        momentum: f64 = "0.95",
        /// Whether the momentum looks ahead.
        nesterov: bool = "true",
        /// Newton-Schulz steps.
        steps: u64 = "5",
        /// How the update is scaled.
        scale: MuonScale = "rms",
        /// Decay of matrices, multiplied by the rate.
        weight_decay: f64 = "0.1",
        /// AdamW's betas for the other parameters.
        betas: Vec<f64> = "[0.9, 0.95]",
        /// AdamW's rate as a multiple of the schedule's.
        rest: f64 = "1.0",
    }
}

fn check_muon(it: &Muon) -> Vec<Problem> {
    let all = [share("momentum", it.momentum), betas(&it.betas, "[0.9, 0.95]"), decay(it.weight_decay)];
    all.into_iter().flatten().collect()
}

impl Rule for Muon {
    fn buffers(&self) -> &'static [&'static str] {
        &["first_moments", "second_moments"]
    }

    fn numbers(&self, shape: &[usize], role: Role) -> Vec<usize> {
        let second = if role == Role::Matrix { 0 } else { count(shape) };
        vec![count(shape), second]
    }

    /// `m = momentum m + (1 - momentum) g`; `u = momentum m + (1 - momentum) g` where it looks ahead, else `m`;
    /// `w = w (1 - rate decay) - rate scale orthogonal(u)`.
    #[cfg(feature = "kernels")]
    fn update(&self, step: &Step, slot: Slot<'_>) -> Result<(), llmp_nn::NnError> {
        use llmp_nn::optim;

        let Slot { shape, role, values, gradient, state, decays } = slot;
        let [first, second] = state;
        let [rows, columns] = *shape else {
            return self.rest(step, values, gradient, [first, second], decays);
        };
        if role != Role::Matrix {
            return self.rest(step, values, gradient, [first, second], decays);
        }
        let (b, c) = (self.momentum as f32, (1.0 - self.momentum) as f32);
        let ahead = self.nesterov;
        let mut towards = vec![0.0f32; gradient.len()];
        optim::each(&mut towards, gradient, [first], &|_, g: f32, [m]: [f32; 1]| {
            let m = m * b + g * c;
            (if ahead { m * b + g * c } else { m }, [m])
        })?;
        optim::orthogonalise(&mut towards, rows, columns, self.steps)?;
        let (rows, columns) = (rows as f64, columns as f64);
        let scale = match self.scale {
            MuonScale::Shape => (rows / columns).max(1.0).sqrt(),
            MuonScale::Rms => 0.2 * rows.max(columns).sqrt(),
        };
        let rate = (step.rate * scale) as f32;
        let keep = if decays { (1.0 - step.rate * self.weight_decay) as f32 } else { 1.0 };
        optim::each(values, &towards, [], &|p: f32, u: f32, []: [f32; 0]| (p * keep - rate * u, []))
    }
}

#[cfg(feature = "kernels")]
impl Muon {
    /// AdamW's update of a parameter that is not a matrix of a block.
    fn rest(
        &self,
        step: &Step,
        values: &mut [f32],
        gradient: &[f32],
        [first, second]: [&mut [f32]; 2],
        decays: bool,
    ) -> Result<(), llmp_nn::NnError> {
        let weight_decay = if decays { self.weight_decay } else { 0.0 };
        let (lr, betas) = (step.rate * self.rest, pair(&self.betas));
        let settings = llmp_nn::optim::AdamW { lr, betas, eps: EPS, weight_decay, step: step.number };
        llmp_nn::optim::adamw(&settings, values, gradient, first, second)
    }
}
