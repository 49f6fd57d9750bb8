//! `reward_model name { … }`: learns a number for an answer from preferences.

use llmp_stdlib::arg::{BatchSize, ModelRef};
use llmp_stdlib::kind::Group;
use llmp_stdlib::{Arg, Form, Kind, Output, Planner, Problem, Settings, State, Ty, Value, View, Yields};

use super::post::{self, Adapter, PairData, Trained};
use crate::optimizers::Optimizer;
use crate::schedules::Schedule;
use crate::settings::{Epochs, Precision, Publish, Steps};

llmp_stdlib::choices! {
    /// The margin between two rewards.
    MarginRule = "margin" {
        /// None (Llama 3.1).
        Off = "off",
        /// By the strength of the preference: 1, 2/3, 1/3, 0 (Llama 2, the small margin).
        Strength = "strength",
    }
}

/// The margin: a rule or a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Margin {
    /// A rule.
    Rule(MarginRule),
    /// A fixed margin.
    Fixed(f64),
}

impl Arg for Margin {
    const TY: Ty = Ty::OneOf(&[MarginRule::TY, Ty::Num]);
    fn read(value: &Value) -> Result<Self, String> {
        MarginRule::read(value).map(Margin::Rule).or_else(|_| f64::read(value).map(Margin::Fixed))
    }
}

llmp_stdlib::def! {
    /// Bradley-Terry: `-log σ(r_chosen - r_rejected - margin)` (F22a, F22b).
    ///
    /// Llama 3.1 leaves Llama 2's margin out and adds edited answers: edited > chosen > rejected (F22c, section 4.1.2).
    ///
    /// ```llmp
    /// loss = bradley_terry(margin = off, edited = true)
    /// ```
    BradleyTerry = "bradley_terry", rev 1 {
        /// What the chosen answer must be ahead.
        margin: Margin = "off",
        /// Rank an edited answer above the chosen one, where a record has one.
        edited: bool = "false",
    }
}

llmp_stdlib::def! {
    /// Soft labels by the strength of the preference, with grades of each answer (F22d; AFM, section 4.2.1).
    ///
    /// `-p log σ(r_chosen - r_rejected) - (1 - p) log σ(r_rejected - r_chosen)` plus `weight` times the cross-entropies of the
    /// grades (following instructions, conciseness, truthfulness, harmlessness, three classes each). The strength is the column
    /// `.strength`: `significantly`, `better`, `slightly`, `negligibly`. Grades are numbers from 0 to 2 in columns such as
    /// `chosen_following` and `rejected_truthfulness` (`concision`, `harmlessness`); where one is missing, it does not count.
    ///
    /// ```llmp
    /// loss = soft_labels(grades = 4)
    /// ```
    SoftLabels = "soft_labels", rev 1, check levels {
        /// Heads that learn the grades.
        grades: u64 = "4",
        /// Probability that the chosen answer is better, for each strength, the strongest first.
        levels: Vec<f64> = "[0.95, 0.85, 0.75, 0.65]",
        /// Weight of the grades (not published; recipes sweep 0.1 to 1).
        weight: f64 = "0.5",
    }
}

fn levels(it: &SoftLabels) -> Vec<Problem> {
    let falls = it.levels.windows(2).all(|pair| pair[0] > pair[1]);
    if !it.levels.is_empty() && falls && it.levels.iter().all(|p| (0.5..=1.0).contains(p)) {
        return Vec::new();
    }
    let message =
        "soft_labels: `levels` fall from the strongest preference to the weakest, each from 0.5 to 1";
    vec![Problem::error("LLMP0209", "levels", message)]
}

llmp_stdlib::family! {
    /// What a reward model learns from a pair.
    RewardLoss = "reward loss" { BradleyTerry, SoftLabels }
}

llmp_stdlib::def! {
    /// Learns a number for an answer from preferences: a language model with a scalar head on its last token.
    ///
    /// Without a length it passes once over the data: a second pass overfits. Qwen 2, Gemma 2 and Llama 3.1 start from the base
    /// or tuned checkpoint; Gemma 2's is ten times larger than its policy. Turns are written by the template of the model or of its
    /// tokenizer. Records with an answer that does not fit into a sequence are left out and counted.
    ///
    /// The folder is one of transformers: `AutoModelForSequenceClassification` with one label gives equal scores; padded batches
    /// need a `pad_token_id` that no answer ends with. Where `data` ends with `split(heldout = …)`, the held-out pairs are judged:
    /// accuracy with its standard error, and how well the odds that the rewards give agree with it (expected calibration error).
    ///
    /// ```llmp
    /// reward_model judge { from = base, data = pairs, loss = bradley_terry(edited = true) }
    /// ```
    RewardModel = "reward_model", rev 1 {
        /// The model to go on from.
        from: ModelRef,
        /// Pairs of answers.
        data: PairData,
        /// What it learns from a pair.
        loss: RewardLoss = "bradley_terry()",
        /// Length of the stage in passes over its data; without `epochs` and `steps` one.
        epochs: Option<Epochs> = "none",
        /// Length of the stage in optimizer steps.
        steps: Option<Steps> = "none",
        /// Tokens of a sequence; without it those of the model.
        @binary context: Option<u64> = "none",
        /// Size of a batch; a pair counts as two sequences.
        batch: Option<BatchSize> = "none",
        /// Weights that are trained beside the frozen model.
        adapter: Option<Adapter> = "none",
        /// How gradients change the weights.
        optimizer: Optimizer = "adamw()",
        /// The learning rate over the stage.
        schedule: Schedule = "constant(1e-5)",
        /// Largest norm of the gradient over all parameters.
        clip: Option<f64> = "1.0",
        /// Share of activations that are left out at random.
        dropout: f64 = "0",
        /// Number format of matrix products.
        precision: Precision = "f32",
        /// Which weights the stage gives (Llama 3.1 averages models of several data versions).
        publish: Publish = "last",
        /// Seed of the head and of the order.
        seed: u64 = "0",
        /// Another random stream of the same seed.
        replicate: u64 = "0",
    }
}

/// The kind.
pub(super) static KIND: Kind = Kind {
    groups: &[Group { members: &["epochs", "steps"], required: false }],
    check,
    lacks,
    cost: post::cost,
    ..Kind::new(RewardModel::SIGNATURE, Form::Block, Yields::Reward, elaborate)
};

fn check(view: &View<'_>) -> Vec<Problem> {
    let mut problems = post::check_from(view, Trained::Base);
    problems.extend(post::check_numbers(view));
    let state = view.get("data").and_then(|data| post::state_of(view, data));
    if let Some(state) = state.filter(|s| *s != State::Preference) {
        let message =
            format!("a reward model learns from pairs of answers; {} records have none", state.show());
        problems.push(Problem::error("LLMP0410", "data", message).help("pairs have `chosen` and `rejected`"));
    }
    problems
}

fn lacks(view: &View<'_>) -> Vec<Problem> {
    let mut problems = post::lacks_of_adapter(view);
    if matches!(view.read("publish"), Some(Publish::Averaged(_))) && view.get("adapter").is_none() {
        let message = "this version does not average the heads of a reward model";
        problems.push(Problem::error("LLMP0703", "publish", message).fix("take the last", "publish", "last"));
    }
    problems
}

fn elaborate(view: &View<'_>, planner: &mut dyn Planner) -> Result<Output, Problem> {
    let data = post::parts(view, "data", planner)?;
    let held_out = post::held_out(view, planner)?;
    let mut extra = vec![("data", data), ("held_out", held_out)];
    extra.extend(post::once(view));
    post::stage(view, planner, &extra, &[])
}
