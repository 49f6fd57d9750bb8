//! `pick`: the better of several models, by a measurement while the program runs.

use llmp_stdlib::Problem;
use llmp_stdlib::arg::ModelRef;

use crate::suites::Suite;

llmp_stdlib::def! {
    /// The model that does best on a suite. All of them have one shape and one tokenizer; the choice is made while the program runs.
    ///
    /// AFM picks checkpoints by benchmarks and by the best of n answers under the reward model (section 4.1).
    ///
    /// ```llmp
    /// rl final { from = pick(taught, aligned, by = accuracy(judged.heldout)), prompts = asks, reward = judge, steps = 100 }
    /// ```
    @planned Pick = "pick", rev 1, check several {
        /// The models.
        @many models: Vec<ModelRef>,
        /// The suite that decides; of equal ones the first.
        by: Suite,
    }
}

fn several(it: &Pick) -> Vec<Problem> {
    let few = it.models.len() < 2;
    let message = "pick chooses between at least two models";
    few.then(|| Problem::error("LLMP0209", "models", message)).into_iter().collect()
}

llmp_stdlib::family! {
    /// One of several models.
    Choosing = "choice of models", yields Model { Pick }
}
