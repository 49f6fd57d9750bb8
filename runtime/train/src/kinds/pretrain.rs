//! `pretrain name { … }`: trains a model on text.

use llmp_data::pack::Packing;
use llmp_nn::kinds::Position;
use llmp_stdlib::arg::{ModelRef, Tokens, TrainingData};
use llmp_stdlib::kind::{Cost, Group};
use llmp_stdlib::{Form, Kind, Output, Planner, Problem, Settings, Value, View, Yields};

use super::chain::{self, Known};
use super::{schedule, training};
use crate::course::{Batch, Context, Course};
use crate::optimizers::Optimizer;
use crate::schedules::Schedule;
use crate::settings::{
    Accumulate, Attention, Clip, Epochs, Flops, OnSpike, Precision, Publish, Recompute, Steps, Times,
};
use crate::stage;
use crate::suites::Suite;

llmp_stdlib::def! {
    /// Trains a model on text, from scratch (`model`) or from the weights of another stage (`from`).
    ///
    /// ```llmp
    /// pretrain run {
    ///   model  = tiny
    ///   data   = clean
    ///   tokens = 4M
    /// }
    /// ```
    Pretrain = "pretrain", rev 1 {
        /// The description of the model to train from scratch.
        model: Option<ModelRef> = "none",
        /// The stage (or model with weights) to go on from.
        from: Option<ModelRef> = "none",
        /// Documents, or a mixture of them.
        data: TrainingData,
        /// Length of the stage in tokens consumed.
        tokens: Option<Tokens> = "none",
        /// Length of the stage in optimizer steps.
        steps: Option<Steps> = "none",
        /// Length of the stage in passes over its documents; not for a mixture.
        epochs: Option<Epochs> = "none",
        /// Length of the stage in floating-point operations.
        flops: Option<Flops> = "none",
        /// Tokens of a training sequence, or a plan by which they grow; without it those of the model.
        @binary context: Option<Context> = "none",
        /// Size of a batch, rounded to whole sequences, or a ramp of sizes. Without it: the power of two nearest to 1/2000 of the
        /// stage's tokens, at least 2Ki and at most 512Ki tokens; 8Ki tokens where the length is given in steps.
        batch: Option<Batch> = "none",
        /// How gradients change the weights.
        optimizer: Optimizer = "adamw()",
        /// The learning rate over the stage. Without it a cosine to 10% after 2% of warm-up, whose peak falls with the
        /// model's width: 3e-3 up to 128, 2.2e-3 at 192, 7.8e-4 at 768, 2.2e-4 at 4096.
        schedule: Option<Schedule> = "none",
        /// Largest norm of the gradient over all parameters; longer gradients are scaled down. `by_value(…)` limits each
        /// element instead. `none`: no limit.
        clip: Option<Clip> = "1.0",
        /// Number format of matrix products.
        precision: Precision = "f32",
        /// What a token sees of its row.
        attention: Attention = "per_document",
        /// How documents become rows of one length.
        packing: Packing = "concat",
        /// Weight of the z-loss: a penalty on the squared log of the softmax's denominator, in the mean over the targets,
        /// which keeps logits near 0 (PaLM: 1e-4, AFM: 1e-6). The loss that is reported stays without it; `metrics.jsonl` has
        /// both.
        z_loss: f64 = "0",
        /// Micro-batches of a batch. `auto`: the fewest of at most 2,048 positions. It changes the result only in the
        /// order of floating-point sums.
        accumulate: Accumulate = "auto",
        /// What is computed again in the backward pass to save memory.
        recompute: Option<Recompute> = "none",
        /// The longest time or distance between two checkpoints. They come sooner, every 20 s, as long as saving
        /// takes less than 2% of the time. They never change the result.
        checkpoints: Times = "every(5 min)",
        /// Checkpoints that are kept while the stage runs.
        keep: u64 = "2",
        /// When what `measure` names is measured during the stage: whenever this distance is reached, and after the last step.
        /// The results stand in `metrics.jsonl` beside the loss of that step. By time (`every(10 min)`) the moments differ
        /// from run to run; the weights that the stage gives never do.
        evaluate: Option<Times> = "none",
        /// What `evaluate` measures; without it `bits_per_byte` of every held-out part of `data`. Documents longer than the
        /// sequences of that moment are scored in windows of that length.
        measure: Vec<Suite> = "[]",
        /// When the model writes a text of at most 200 tokens from nothing during the stage, and after the last step: at
        /// temperature 0.8 within a nucleus of 95%, with the same dice each time.
        sample: Option<Times> = "none",
        /// Which weights the stage gives.
        publish: Publish = "last",
        /// What happens when the loss jumps: lies more than six standard deviations above the mean of the 128 losses
        /// before. The first 64 steps are not judged. A loss or gradient that is not a number always stops the stage.
        on_spike: Option<OnSpike> = "none",
        /// Other positions from this stage on, for a longer context.
        position: Option<Position> = "none",
        /// Seed of initial weights and of the order of documents.
        seed: u64 = "0",
        /// Another random stream of the same seed.
        replicate: u64 = "0",
    }
}

/// The kind.
pub(super) static KIND: Kind = Kind {
    groups: &[
        Group { members: &["model", "from"], required: true },
        Group { members: &["tokens", "steps", "epochs", "flops"], required: true },
    ],
    fields: chain::FIELDS,
    check,
    lacks: training::lacks,
    cost,
    ..Kind::new(Pretrain::SIGNATURE, Form::Block, Yields::Model, elaborate)
};

fn check(view: &View<'_>) -> Vec<Problem> {
    let mut problems: Vec<Problem> = check_model(view).into_iter().collect();
    problems.extend(check_context(view));
    problems.extend(training::check_length(view));
    problems.extend(training::check_optimizer(view));
    problems.extend(schedule::check(view));
    problems.extend(schedule::check_order(view));
    problems.extend(chain::check_upcycle(view));
    if let Some(course) = training::course(view) {
        problems.extend(check_accumulate(view, &course));
    }
    if matches!(view.read("clip"), Some(Clip::Norm(norm)) if norm <= 0.0) {
        let message = "the largest gradient norm must be above 0";
        problems.push(Problem::error("LLMP0209", "clip", message).fix("do not clip", "clip", "none"));
    }
    if view.read::<u64>("keep") == Some(0) {
        let message = "a stage keeps at least one checkpoint";
        problems.push(Problem::error("LLMP0209", "keep", message).fix("keep two", "keep", "2"));
    }
    problems
}

/// `model` describes, `from` has weights.
fn check_model(view: &View<'_>) -> Option<Problem> {
    if let Some(target) = view.follow("model") {
        let trained = target.kind.signature.name != "model" || target.value.is_some();
        let message = || format!("`{}` has weights; `model` takes a description", target.name);
        return trained
            .then(|| Problem::error("LLMP0201", "model", message()).help("go on from it with `from`"));
    }
    let target = view.follow("from")?;
    let described = target.kind.signature.name == "model" && target.value.is_none();
    let message = || format!("`{}` describes a model; it has no weights to go on from", target.name);
    described
        .then(|| Problem::error("LLMP0201", "from", message()).help("train it from scratch with `model`"))
}

/// Sequences against the positions of the model that the stage starts from.
fn check_context(view: &View<'_>) -> Option<Problem> {
    if matches!(view.read("context"), Some(Context::Fixed(0))) {
        return Some(Problem::error("LLMP0209", "context", "a sequence has at least one token"));
    }
    let longest = training::longest(view)?;
    let target = chain::source(view)?;
    let known = Known::of(&target)?;
    let positions = known.context().filter(|p| *p > 0)?;
    let place = if view.get("context").is_some() { "context" } else { "batch" };
    let sides = || format!("sequences of {longest} tokens, but `{}` has {positions} positions", target.name);
    let learned = matches!(known.members.get("position"), Some(Value::Call(call)) if call.name == "learned");
    let fix = |p: Problem| match place {
        "context" => p.fix("use the model's positions", "context", positions.to_string()),
        _ => p,
    };
    if longest > positions && (learned || view.get("model").is_some()) {
        return Some(fix(Problem::error("LLMP0506", place, sides())));
    }
    // Each increase is judged by itself; a change of base or scaling is what a long one needs.
    let contexts = match view.read("context") {
        Some(Context::Grow(grow)) => grow.contexts(),
        _ => vec![longest],
    };
    let leaps = std::iter::once(positions).chain(contexts.iter().copied()).zip(&contexts);
    let far = leaps.into_iter().any(|(before, after)| *after > before.saturating_mul(4));
    if far && view.get("position").is_none() {
        let help = "lengthen the context at most fourfold at a time, or change the rotary base";
        return Some(fix(Problem::warning("LLMP0506", place, sides()).help(help)));
    }
    None
}

fn check_accumulate(view: &View<'_>, course: &Course) -> Option<Problem> {
    let Accumulate::Parts(parts) = view.read::<Accumulate>("accumulate")? else { return None };
    let uneven = course.0.iter().find(|leg| parts == 0 || !leg.rows().is_multiple_of(parts))?;
    let message =
        format!("a batch of {} sequences cannot be cut into {parts} equal micro-batches", uneven.rows());
    Some(Problem::error("LLMP0605", "accumulate", message).fix("let the rule choose", "accumulate", "auto"))
}

fn cost(view: &View<'_>) -> Option<Cost> {
    training::cost_of(view, Known::of(view)?.counted()?).map(Cost::Stage)
}

fn elaborate(view: &View<'_>, planner: &mut dyn Planner) -> Result<Output, Problem> {
    let begun = training::begin(view, planner)?;
    let weights = planner.step(stage::OP, stage::REV, begun.args);
    let spec = training::result(view, begun.spec);
    Ok(Output::Model { spec, tokenizer: Some(begun.tokenizer), weights: Some(weights) })
}
