//! `sft name { … }`: tunes a model on conversations.

use llmp_data::templates::Template;
use llmp_stdlib::arg::{BatchSize, ModelRef};
use llmp_stdlib::kind::Group;
use llmp_stdlib::{Form, Kind, Output, Planner, Problem, Settings, State, Value, View, Yields};

use super::post::{self, Adapter, ChatData, Trained};
use super::training;
use crate::optimizers::Optimizer;
use crate::schedules::Schedule;
use crate::settings::{Epochs, Precision, Publish, Steps, Times};

llmp_stdlib::choices! {
    /// Which tokens the loss counts.
    LossOn = "loss_on" {
        /// What the assistant says, in every turn.
        Assistant = "assistant",
        /// What stands after the prompt: the last answer.
        Completions = "completions",
        /// Every token.
        All = "all",
    }
}

llmp_stdlib::def! {
    /// Tunes a model on conversations (behavioural cloning): cross-entropy on the answers, the rest masked (F1).
    ///
    /// Qwen 2: over 500,000 examples, 2 epochs, sequences of 32,768 tokens, 7e-6 falling to 7e-7, weight decay 0.1. Llama 3.1
    /// 405B: 1e-5, 8,500 to 9,000 steps. AFM: constant 5e-6 (server) and 2e-5 (device), dropout 0.1.
    ///
    /// ```llmp
    /// sft tuned {
    ///   from     = base
    ///   data     = chats
    ///   epochs   = 2
    ///   schedule = cosine(peak = 2e-5, warmup = 3%, floor = 10%)
    /// }
    /// ```
    Sft = "sft", rev 1 {
        /// The model to go on from.
        from: ModelRef,
        /// Conversations, answers with their prompts, documents (with `loss_on = all`), or a mixture.
        data: ChatData,
        /// How the turns are written; without it the tokenizer's own template.
        template: Option<Template> = "none",
        /// Length of the stage in passes over its data.
        epochs: Option<Epochs> = "none",
        /// Length of the stage in optimizer steps.
        steps: Option<Steps> = "none",
        /// Which tokens the loss counts.
        loss_on: LossOn = "assistant",
        /// Several conversations share a sequence, each sees itself only. A model with a table of positions gives each a sequence.
        packing: bool = "true",
        /// Tokens of a sequence; without it those of the model. Longer conversations are cut at a turn.
        @binary context: Option<u64> = "none",
        /// Size of a batch; without it 16 sequences, or 16 conversations where each has a row.
        batch: Option<BatchSize> = "none",
        /// Weights that are trained beside the frozen model; `none` trains the model itself.
        adapter: Option<Adapter> = "none",
        /// How gradients change the weights.
        optimizer: Optimizer = "adamw()",
        /// The learning rate over the stage (Llama 3.1 405B's rate is the default).
        schedule: Schedule = "constant(1e-5)",
        /// Largest norm of the gradient over all parameters.
        clip: Option<f64> = "1.0",
        /// Share of activations that are left out at random (AFM: 10%).
        dropout: f64 = "0",
        /// Number format of matrix products.
        precision: Precision = "f32",
        /// When the loss on the held-out parts of the data (`split(heldout = 5%)`) is taken.
        evaluate: Option<Times> = "none",
        /// Which weights the stage gives.
        publish: Publish = "last",
        /// Seed of the order of conversations.
        seed: u64 = "0",
        /// Another random stream of the same seed.
        replicate: u64 = "0",
    }
}

/// The kind.
pub(super) static KIND: Kind = Kind {
    groups: &[Group { members: &["epochs", "steps"], required: true }],
    check,
    lacks: post::lacks_of_adapter,
    cost: post::cost,
    ..Kind::new(Sft::SIGNATURE, Form::Block, Yields::Model, elaborate)
};

fn check(view: &View<'_>) -> Vec<Problem> {
    let mut problems = post::check_from(view, Trained::Base);
    problems.extend(post::check_numbers(view));
    let docs = view.get("data").and_then(|data| post::state_of(view, data)) == Some(State::Docs);
    if docs && view.read::<LossOn>("loss_on").is_some_and(|on| on != LossOn::All) {
        let message = "documents have no turns: the loss cannot count what the assistant says";
        problems.push(
            Problem::error("LLMP0410", "data", message)
                .help("make conversations of them with `as_chat(…)`, or count every token")
                .fix("count every token", "loss_on", "all"),
        );
    }
    if !docs {
        problems.extend(post::check_template(view, "data"));
    }
    if view.get("evaluate").is_some() && training::held_out(view).is_empty() {
        let message = "there is nothing to measure: no part of `data` is held out";
        let help = "end the dataset with `split(heldout = 5%)`";
        problems.push(Problem::error("LLMP0103", "evaluate", message).help(help));
    }
    problems
}

fn elaborate(view: &View<'_>, planner: &mut dyn Planner) -> Result<Output, Problem> {
    let data: Value = post::parts(view, "data", planner)?;
    if view.get("evaluate").is_none() {
        return post::stage(view, planner, &[("data", data)], &[]);
    }
    let held_out = post::held_out(view, planner)?;
    post::stage(view, planner, &[("data", data), ("held_out", held_out)], &[])
}
