//! AdamW (Loshchilov and Hutter 2019) as PyTorch computes it.

use llmp_stdlib::Problem;

llmp_stdlib::def! {
    /// AdamW with PyTorch's coupling: each step first shrinks a weight by `rate * weight_decay`, then moves it by
    /// the bias-corrected Adam step.
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
        /// Decay of matrices, multiplied by the rate.
        weight_decay: f64 = "0.1",
        /// Paths of parameters that it updates; an empty list means all. Others are not available yet.
        on: Vec<String> = "[]",
    }
}

fn check(it: &AdamW) -> Vec<Problem> {
    let mut problems = Vec::new();
    if it.betas.len() != 2 || it.betas.iter().any(|b| !(0.0..1.0).contains(b)) {
        let message = "adamw takes two betas, each at least 0 and below 1".to_owned();
        problems.push(Problem::error("LLMP0209", "betas", message).fix(
            "use the usual betas",
            "betas",
            "[0.9, 0.95]",
        ));
    }
    if !(it.eps > 0.0 && it.eps < 1.0) {
        problems.push(Problem::error(
            "LLMP0209",
            "eps",
            format!("eps is above 0 and below 1, not {}", it.eps),
        ));
    }
    if !(0.0..=10.0).contains(&it.weight_decay) {
        let message = format!("weight_decay lies in 0 to 10, not {}", it.weight_decay);
        problems.push(Problem::error("LLMP0209", "weight_decay", message));
    }
    if !it.on.is_empty() {
        let message = "adamw updates all parameters: a choice of parameters is not available yet";
        problems.push(Problem::error("LLMP0703", "on", message).fix("update all parameters", "on", "[]"));
    }
    problems
}
