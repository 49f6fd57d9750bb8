//! Optimizers besides AdamW: their settings.

use llmp_stdlib::Problem;

use super::Mup;

/// Both betas in range.
pub(super) fn betas(betas: &[f64], default: &str) -> Option<Problem> {
    let good = betas.len() == 2 && betas.iter().all(|b| (0.0..1.0).contains(b));
    let problem = || Problem::error("LLMP0209", "betas", "two betas are needed, each at least 0 and below 1");
    (!good).then(|| problem().fix("use the usual betas", "betas", default.to_owned()))
}

/// A decay in range.
pub(super) fn decay(weight_decay: f64) -> Option<Problem> {
    let message = || format!("weight_decay lies in 0 to 10, not {weight_decay}");
    (!(0.0..=10.0).contains(&weight_decay)).then(|| Problem::error("LLMP0209", "weight_decay", message()))
}

fn share(name: &str, value: f64) -> Option<Problem> {
    let message = || format!("`{name}` lies between 0 and 1, not {value}");
    (!(0.0..=1.0).contains(&value)).then(|| Problem::error("LLMP0209", name, message()))
}

llmp_stdlib::def! {
    /// Adafactor: the average of the squared gradient of a matrix is kept as one row and one column (Shazeer and Stern
    /// 2018).
    @planned Adafactor = "adafactor", rev 1, check check_adafactor {
        /// Decay of the averages: `1 - step^-decay_rate`.
        decay_rate: f64 = "0.8",
        /// Largest root mean square of an update.
        clip: f64 = "1.0",
        /// Decay of matrices, multiplied by the rate.
        weight_decay: f64 = "0",
    }
}

fn check_adafactor(it: &Adafactor) -> Vec<Problem> {
    share("decay_rate", it.decay_rate).into_iter().chain(decay(it.weight_decay)).collect()
}

llmp_stdlib::def! {
    /// Lion: the sign of an interpolation between momentum and gradient (Chen et al. 2023). Its rate is 3 to 10 times
    /// smaller than AdamW's.
    @planned Lion = "lion", rev 1, check check_lion {
        /// Weight of the momentum in the update, and its decay.
        betas: Vec<f64> = "[0.9, 0.99]",
        /// Decay of matrices, multiplied by the rate.
        weight_decay: f64 = "1.0",
    }
}

fn check_lion(it: &Lion) -> Vec<Problem> {
    betas(&it.betas, "[0.9, 0.99]").into_iter().chain(decay(it.weight_decay)).collect()
}

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
    @planned Muon = "muon", rev 1, check check_muon {
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

llmp_stdlib::def! {
    /// RMSProp with momentum on the normalised update (AFM, AXLearn's AdaStar): the gradient is divided by the root of its
    /// average square, clipped to a root mean square of `block_clip` in each parameter, then averaged. The decay is
    /// multiplied with the schedule but not with the rate.
    @planned RmspropMomentum = "rmsprop_momentum", rev 1, check check_rmsprop {
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

llmp_stdlib::def! {
    /// Stochastic gradient descent.
    @planned Sgd = "sgd", rev 1, check check_sgd {
        /// Decay of the momentum; 0 for none.
        momentum: f64 = "0",
        /// Whether the momentum looks ahead.
        nesterov: bool = "false",
        /// Decay of matrices, multiplied by the rate.
        weight_decay: f64 = "0",
    }
}

fn check_sgd(it: &Sgd) -> Vec<Problem> {
    share("momentum", it.momentum).into_iter().chain(decay(it.weight_decay)).collect()
}
