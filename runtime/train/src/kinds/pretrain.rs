//! `pretrain name { … }`: trains a model on text.

use llmp_nn::kinds::Position;
use llmp_stdlib::arg::{BatchSize, Length, ModelRef, Tokens, TrainingData};
use llmp_stdlib::kind::{Cost, Group};
use llmp_stdlib::{
    Form, Kind, Output, Planner, Problem, Record, Settings, StageCost, Value, View, Yields, number,
};

use super::decoder::Decoder;
use super::{described, item_name, model, unavailable};
use crate::budget::{Budget, Goal, default_peak, micro_rows};
use crate::optimizers::Optimizer;
use crate::schedules::{Over, Schedule};
use crate::settings::{
    Accumulate, Attention, Epochs, Flops, OnSpike, Precision, Publish, Recompute, Steps, Times,
};
use crate::stage;

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
        /// Tokens of a training sequence; without it those of the model.
        @binary context: Option<u64> = "none",
        /// Size of a batch, rounded to whole sequences. Without it: the power of two nearest to 1/2000 of the
        /// stage's tokens, at least 2Ki and at most 512Ki tokens; 8Ki tokens where the length is given in steps.
        batch: Option<BatchSize> = "none",
        /// How gradients change the weights.
        optimizer: Optimizer = "adamw()",
        /// The learning rate over the stage. Without it a cosine to 10% after 2% of warm-up, whose peak falls with the
        /// model's width: 3e-3 up to 128, 2.2e-3 at 192, 7.8e-4 at 768, 2.2e-4 at 4096.
        schedule: Option<Schedule> = "none",
        /// Largest norm of the gradient over all parameters; longer gradients are scaled down. `none`: no limit.
        clip: Option<f64> = "1.0",
        /// Number format of matrix products.
        precision: Precision = "f32",
        /// What a token sees of its row.
        attention: Attention = "per_document",
        /// Weight of the penalty on the squared log of the softmax's denominator.
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
        /// Evaluations during the stage.
        evaluate: Option<Times> = "none",
        /// Samples of text during the stage.
        sample: Option<Times> = "none",
        /// Which weights the stage gives.
        publish: Publish = "last",
        /// What happens when the loss jumps. A loss or gradient that is not a number always stops the stage.
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
    check,
    cost,
    ..Kind::new(Pretrain::SIGNATURE, Form::Block, Yields::Model, elaborate)
};

fn check(view: &View<'_>) -> Vec<Problem> {
    let mut problems = not_available(view);
    problems.extend(check_model(view));
    problems.extend(check_context(view));
    problems.extend(check_length(view));
    if let Some(budget) = budget(view) {
        problems.extend(check_schedule(view, &budget));
        problems.extend(check_accumulate(view, &budget));
    }
    if view.read::<f64>("clip").is_some_and(|clip| clip <= 0.0) {
        let message = "the largest gradient norm must be above 0";
        problems.push(Problem::error("LLMP0209", "clip", message).fix("do not clip", "clip", "none"));
    }
    if view.read::<u64>("keep") == Some(0) {
        let message = "a stage keeps at least one checkpoint";
        problems.push(Problem::error("LLMP0209", "keep", message).fix("keep two", "keep", "2"));
    }
    problems
}

/// Members whose runtime comes later.
fn not_available(view: &View<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    if view.read::<Precision>("precision") == Some(Precision::Bf16) {
        problems.push(unavailable("precision", "training in bf16", "f32"));
    }
    if view.read::<f64>("z_loss").is_some_and(|z| z != 0.0) {
        problems.push(unavailable("z_loss", "a z-loss", "0"));
    }
    if matches!(view.read::<Publish>("publish"), Some(Publish::Averaged(_))) {
        problems.push(unavailable("publish", "an average of weights", "last"));
    }
    let whats = [
        ("recompute", "recomputation in the backward pass"),
        ("evaluate", "evaluation during a stage"),
        ("sample", "a sample during a stage"),
        ("on_spike", "a spike policy"),
        ("position", "a change of positions"),
    ];
    problems.extend(whats.iter().filter(|w| view.get(w.0).is_some()).map(|w| unavailable(w.0, w.1, "none")));
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

fn check_context(view: &View<'_>) -> Option<Problem> {
    let context = view.read::<u64>("context")?;
    if context == 0 {
        return Some(Problem::error("LLMP0209", "context", "a sequence has at least one token"));
    }
    let target = described(view)?;
    let positions = target.read::<u64>("context").filter(|p| *p > 0)?;
    let sides = || format!("sequences of {context} tokens, but `{}` has {positions} positions", target.name);
    let learned = matches!(target.get("position"), Some(Value::Call(call)) if call.name == "learned");
    let fix = |p: Problem| p.fix("use the model's positions", "context", positions.to_string());
    if context > positions && (learned || view.get("model").is_some()) {
        return Some(fix(Problem::error("LLMP0506", "context", sides())));
    }
    if context > positions.saturating_mul(4) {
        let help = "lengthen the context at most fourfold at a time, or change the rotary base";
        return Some(fix(Problem::warning("LLMP0506", "context", sides()).help(help)));
    }
    None
}

fn check_length(view: &View<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for member in ["tokens", "steps", "epochs", "flops"] {
        let number = if let Some(Value::Number(q)) = view.get(member) { Some(q.amount) } else { None };
        if number.is_some_and(|n| n <= llmp_stdlib::Rational::from(0)) {
            problems.push(Problem::error("LLMP0209", member, format!("`{member}` must be above 0")));
        }
    }
    let is_mix = |item: &llmp_stdlib::ItemRef| {
        view.program.view(&item.item).is_some_and(|v| v.kind.yields == Yields::Mix)
    };
    if view.get("epochs").is_some() && view.get("data").and_then(item_name).is_some_and(is_mix) {
        let message = "an epoch is a pass over one source; a mixture has none";
        problems.push(
            Problem::error("LLMP0202", "epochs", message).help("give `tokens`, and `max_epochs` in the mix"),
        );
    }
    if matches!(view.read::<BatchSize>("batch"), Some(BatchSize::Tokens(0) | BatchSize::Sequences(0))) {
        problems.push(Problem::error("LLMP0209", "batch", "a batch has at least one sequence"));
    }
    problems
}

fn check_schedule(view: &View<'_>, budget: &Budget) -> Option<Problem> {
    let schedule = schedule(view)?;
    let (warmup, over) = budget.schedule(&schedule, None)?;
    let steps = budget.steps();
    if warmup > steps {
        let message = format!("the warm-up takes {warmup} steps, the stage has {steps}");
        let problem = Problem::error("LLMP0604", "schedule.warmup", message);
        return Some(problem.fix("use the default", "schedule.warmup", "2%"));
    }
    if over < steps {
        let message = format!(
            "the stage runs {steps} steps, its schedule ends after {over}: the rate stays at the floor"
        );
        let problem = Problem::warning("LLMP0604", "schedule.over", message);
        return Some(problem.fix("end with the stage", "schedule.over", "stage"));
    }
    let ramp = schedule.shape().ramp();
    let long = |length: Length| matches!(length, Length::Share(share) if share > 1.0);
    let without_unit = matches!(ramp.over, Some(Over::Length(length)) if long(length));
    without_unit
        .then(|| Problem::error("LLMP0302", "schedule.over", "a length needs a unit: tokens, steps or %"))
}

fn check_accumulate(view: &View<'_>, budget: &Budget) -> Option<Problem> {
    let Accumulate::Parts(parts) = view.read::<Accumulate>("accumulate")? else { return None };
    if parts > 0 && budget.rows.is_multiple_of(parts) {
        return None;
    }
    let message =
        format!("a batch of {} sequences cannot be cut into {parts} equal micro-batches", budget.rows);
    Some(Problem::error("LLMP0605", "accumulate", message).fix("let the rule choose", "accumulate", "auto"))
}

/// The decoder and the length of its sequences.
fn decoder(view: &View<'_>) -> Option<(Decoder, u64)> {
    let decoder = Decoder::of(&described(view)?)?;
    let context = view.read::<u64>("context").unwrap_or(decoder.spec.context as u64);
    Some((decoder, context))
}

fn goal(view: &View<'_>) -> Option<Goal> {
    if let Some(tokens) = view.read::<Tokens>("tokens") {
        return Some(Goal::Tokens(tokens.0));
    }
    if let Some(steps) = view.read::<Steps>("steps") {
        return Some(Goal::Steps(steps.0));
    }
    if let Some(epochs) = view.read::<Epochs>("epochs") {
        return Some(Goal::Epochs(epochs.0));
    }
    let flops = view.read::<Flops>("flops")?.0;
    let (decoder, context) = decoder(view)?;
    let each = decoder.spec.flops_per_token(context as f64);
    (decoder.spec.vocab > 0).then_some(Goal::Tokens((flops / each).round() as u64))
}

/// Known only where the length is: not for epochs, before the documents are counted.
fn budget(view: &View<'_>) -> Option<Budget> {
    let (_, context) = decoder(view)?;
    Budget::new(goal(view)?, view.read("batch"), context, None)
}

/// The schedule as written, or the default one.
fn schedule(view: &View<'_>) -> Option<Schedule> {
    use llmp_stdlib::Arg;
    Schedule::read(&schedule_value(view)?).ok()
}

fn schedule_value(view: &View<'_>) -> Option<Value> {
    if let Some(value) = view.get("schedule") {
        return Some(value.clone());
    }
    let (decoder, _) = decoder(view)?;
    let share = |n: i128| Value::number(llmp_stdlib::Rational::new(n, 100));
    let args = [
        ("peak", Value::number(default_peak(decoder.spec.width as u64))),
        ("warmup", share(2)),
        ("floor", share(10)),
        ("over", Value::Choice("stage".into())),
    ];
    let args: Record = args.map(|(name, value)| (name.to_owned(), value)).into();
    Some(Value::Call(llmp_stdlib::Call { name: "cosine".into(), args }))
}

fn cost(view: &View<'_>) -> Option<Cost> {
    let (decoder, context) = decoder(view)?;
    let spec = (decoder.spec.vocab > 0).then_some(decoder.spec)?;
    let budget = budget(view)?;
    let rows = match view.read::<Accumulate>("accumulate") {
        Some(Accumulate::Parts(parts)) => budget.rows.div_ceil(parts.max(1)),
        Some(Accumulate::Auto) | None => micro_rows(budget.rows, context),
    };
    let state = view.read::<Optimizer>("optimizer").map_or(8, |o| o.state_bytes());
    // Weights and gradients in f32 beside the optimizer's state.
    let (weights, state) = (spec.parameters() * 8, spec.parameters() * state);
    let activations = spec.activation_bytes(rows, context);
    // A checkpoint holds weights and state; the result holds weights alone.
    let kept = view.read::<u64>("keep").unwrap_or(1).max(1);
    let disk = kept.saturating_mul(weights / 2 + state).saturating_add(weights / 2);
    Some(Cost::Stage(StageCost {
        tokens: budget.tokens(),
        steps: budget.steps(),
        flops: spec.flops_per_token(context as f64) * budget.tokens() as f64,
        memory_bytes: weights + state + activations,
        weight_bytes: weights,
        optimizer_bytes: state,
        activation_bytes: activations,
        checkpoint_bytes: disk,
    }))
}

fn elaborate(view: &View<'_>, planner: &mut dyn Planner) -> Result<Output, Problem> {
    let from_scratch = view.get("model").is_some();
    let member = if from_scratch { "model" } else { "from" };
    let Output::Model { spec, tokenizer, weights } = model(view, member, planner)? else {
        return Err(Problem::error("LLMP0201", member, "this is not a model"));
    };
    let tokenizer = tokenizer
        .ok_or_else(|| Problem::error("LLMP0703", member, "the model has no tokenizer to train with"))?;
    let unknown =
        || Problem::error("LLMP0703", member, "the sizes of this model are not known before the run");
    let (decoder, context) = decoder(view).ok_or_else(unknown)?;
    let missing = |name: &str| Problem::error("LLMP0103", name, format!("`{name}` is missing"));
    let data = planner.data(view.get("data").ok_or_else(|| missing("data"))?)?;
    let from = if from_scratch { Value::None } else { weights.map_or(Value::None, Value::Port) };
    let mut args: Record = [
        ("model", Value::Record(decoder.to_record())),
        ("from", from),
        ("tokenizer", Value::Port(tokenizer.clone())),
        ("parts", Value::List(parts(data, &tokenizer, planner)?)),
        ("length", stage::length(goal(view).ok_or_else(|| missing("tokens"))?)),
        ("context", Value::number(context as i128)),
        (
            "batch",
            budget(view).map_or_else(
                || view.get("batch").cloned().unwrap_or(Value::None),
                |b| stage::sequences(b.rows),
            ),
        ),
        ("schedule", schedule_value(view).ok_or_else(|| missing("schedule"))?),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    for name in ["optimizer", "clip", "attention", "accumulate", "checkpoints", "keep", "seed", "replicate"] {
        args.insert(name.to_owned(), view.members.get(name).cloned().unwrap_or(Value::None));
    }
    let weights = planner.step(stage::OP, stage::REV, args);
    let mut spec = spec;
    let longer = decoder.spec.context.max(context as usize);
    spec.insert("context".into(), Value::number(longer as i128));
    Ok(Output::Model { spec, tokenizer: Some(tokenizer), weights: Some(weights) })
}

/// The token shards of a stage with their shares.
fn parts(
    data: Output,
    tokenizer: &llmp_stdlib::Port,
    planner: &mut dyn Planner,
) -> Result<Vec<Value>, Problem> {
    let one = llmp_stdlib::Rational::from(1);
    let parts = match data {
        Output::Port(port) => vec![(port, one, None)],
        Output::Mix(parts) => parts.into_iter().map(|p| (p.port, p.share, p.max_epochs)).collect(),
        Output::Nothing | Output::Model { .. } => {
            return Err(Problem::error("LLMP0201", "data", "this is not data"));
        }
    };
    let part =
        |(port, share, max_epochs): (llmp_stdlib::Port, number::Rational, Option<number::Rational>)| {
            let tokens = planner.tokens(port, tokenizer.clone());
            let fields = [
                ("tokens", Value::Port(tokens)),
                ("share", Value::number(share)),
                ("max_epochs", max_epochs.map_or(Value::None, Value::number)),
            ];
            Value::Record(fields.map(|(name, value)| (name.to_owned(), value)).into())
        };
    Ok(parts.into_iter().map(part).collect())
}
