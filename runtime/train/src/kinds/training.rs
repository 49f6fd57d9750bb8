//! What all stages that train on documents share: their length, their batches, their cost, their arguments in a plan.

use llmp_data::steps::Split;
use llmp_nn::spec::{Architecture, Pass};
use llmp_stdlib::arg::{BatchSize, Tokens};
use llmp_stdlib::{
    Call, ItemRef, Output, Part, Planner, Port, Problem, Rational, Record, Settings, StageCost, Value, View,
    Yields,
};

use super::chain::{self, Known};
use super::decoder::Decoder;
use super::{eval, item_name, model, schedule};
use crate::budget::{Goal, micro_rows};
use crate::course::{Batch, Context, Course};
use crate::optimizers::Optimizer;
use crate::settings::{Accumulate, Epochs, Flops, Publish, Recompute, Steps};
use crate::stage;
use crate::suites::{BitsPerByte, Perplexity};

/// The longest sequences of a stage that names them.
pub(super) fn longest(view: &View<'_>) -> Option<u64> {
    let own = match view.read::<Context>("context") {
        Some(Context::Fixed(context)) => Some(context),
        Some(Context::Grow(grow)) => Some(grow.to),
        None => None,
    };
    let Some(Batch::Ramp(ramp)) = view.read::<Batch>("batch") else { return own };
    ramp.phases.iter().filter_map(|p| p.context).chain(own).max()
}

/// Sequences as the stage says, else as its model has them.
fn context(view: &View<'_>) -> Option<Context> {
    view.read("context").or_else(|| Known::of(&chain::source(view)?)?.context().map(Context::Fixed))
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
    let known = Known::of(view)?;
    let sizes = known.counted()?;
    let length = match context(view)? {
        Context::Fixed(context) => context,
        Context::Grow(grow) => grow.to,
    };
    Some(Goal::Tokens((flops / sizes.flops_per_token(length as f64)).round() as u64))
}

/// Known only where the length is: not for epochs, before the documents are counted.
pub(super) fn course(view: &View<'_>) -> Option<Course> {
    Course::new(goal(view)?, view.read("batch").as_ref(), &context(view)?, None)
}

/// Whether the length of a stage is known only when its documents are counted.
pub(super) fn in_epochs(view: &View<'_>) -> bool {
    matches!(goal(view), Some(Goal::Epochs(_))) && course(view).is_none()
}

/// Paths that an optimizer is told to update and the model does not have.
pub(super) fn check_optimizer(view: &View<'_>) -> Option<Problem> {
    let sizes = Known::of(view)?.sizes?;
    let path = view.read::<Optimizer>("optimizer")?.unknown_path(&sizes)?;
    let names: Vec<String> = sizes.params().into_iter().map(|p| p.name).collect();
    let near = names.iter().find(|name| name.starts_with("blocks.0.")).or(names.first());
    let message = format!("the model has no parameter `{path}`, nor any below it");
    let help = format!("parameters are called as `{}`; `*` stands for one part", near.map_or("norm", |n| n));
    Some(Problem::error("LLMP0209", "optimizer.on", message).help(help))
}

/// Rules over length, batch and context.
pub(super) fn check_length(view: &View<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for member in ["tokens", "steps", "epochs", "flops"] {
        let number = if let Some(Value::Number(q)) = view.get(member) { Some(q.amount) } else { None };
        if number.is_some_and(|n| n <= Rational::from(0)) {
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
    if matches!(view.read("batch"), Some(Batch::Fixed(BatchSize::Tokens(0) | BatchSize::Sequences(0)))) {
        problems.push(Problem::error("LLMP0209", "batch", "a batch has at least one sequence"));
    }
    problems.extend(check_ramp(view));
    problems.extend(check_measure(view));
    if view.read::<f64>("z_loss").is_some_and(|z| !(0.0..=1.0).contains(&z)) {
        let help = "published weights are 1e-6 (AFM) to 1e-4 (PaLM)";
        problems.push(Problem::error("LLMP0209", "z_loss", "the weight lies between 0 and 1").help(help));
    }
    problems
}

fn check_ramp(view: &View<'_>) -> Option<Problem> {
    let Some(Batch::Ramp(ramp)) = view.read("batch") else { return None };
    if matches!(view.read("context"), Some(Context::Grow(_)))
        && ramp.phases.iter().any(|p| p.context.is_some())
    {
        let message = "the context grows by `grow` and by the phases of the batch: one of them decides";
        return Some(Problem::error("LLMP0603", "context", message).label("batch", "phases with a context"));
    }
    let Some(Goal::Tokens(tokens)) = goal(view) else { return None };
    let never = ramp.phases.iter().find(|p| p.after >= tokens)?;
    let (after, tokens) = (crate::course::spaced(never.after), crate::course::spaced(tokens));
    let message = format!("a phase begins after {after} tokens, the stage has {tokens}: it is never reached");
    Some(Problem::warning("LLMP0603", "batch", message).label("tokens", format!("{tokens} tokens")))
}

/// The largest number of rows and positions that go through the model at once.
fn largest_pass(view: &View<'_>, course: &Course) -> Pass {
    let rows = |leg: &crate::course::Leg| match view.read::<Accumulate>("accumulate") {
        Some(Accumulate::Parts(parts)) => leg.rows().div_ceil(parts.max(1)),
        Some(Accumulate::Auto) | None => micro_rows(leg.rows(), leg.context),
    };
    let largest = course.0.iter().map(|leg| (rows(leg), leg.context));
    let (rows, length) = largest.max_by_key(|(rows, length)| rows.saturating_mul(*length)).unwrap_or((1, 1));
    Pass { rows, length, bytes: 4, recompute: view.read::<Recompute>("recompute").is_some() }
}

/// Tokens, steps, FLOPs and memory of training a model of these sizes.
pub(super) fn cost_of(view: &View<'_>, sizes: &Architecture) -> Option<StageCost> {
    let course = course(view)?;
    let pass = largest_pass(view, &course);
    let optimizer = view.read::<Optimizer>("optimizer");
    let state = optimizer.map_or_else(|| 8 * sizes.parameters(), |o| o.state_bytes(sizes));
    let weights = sizes.trained_bytes();
    let activations = sizes.activation_bytes(pass);
    // A checkpoint holds weights and state; the result holds weights alone.
    let kept = view.read::<u64>("keep").unwrap_or(1).max(1);
    // A running mean of the weights.
    let averaged = matches!(view.read("publish"), Some(Publish::Averaged(_)));
    let state = state.saturating_add(if averaged { sizes.parameters().saturating_mul(8) } else { 0 });
    let whole = sizes.parameters().saturating_mul(4);
    let disk = kept.saturating_mul(whole.saturating_add(state)).saturating_add(whole);
    Some(StageCost {
        tokens: course.tokens(),
        steps: course.steps(),
        flops: course.flops(sizes),
        memory_bytes: weights.saturating_add(state).saturating_add(activations),
        weight_bytes: weights,
        optimizer_bytes: state,
        activation_bytes: activations,
        checkpoint_bytes: disk,
    })
}

/// FLOPs of the forward passes of another model over the tokens of a stage: a third of training it.
pub(super) fn forward_flops(view: &View<'_>, sizes: &Architecture) -> Option<f64> {
    let course = course(view)?;
    Some(course.0.iter().map(|leg| sizes.flops_per_token(leg.context as f64) / 3.0 * leg.tokens as f64).sum())
}

/// The arguments of a stage's step, and what it starts from.
pub(super) struct Begun {
    /// Arguments that all stages have.
    pub(super) args: Record,
    /// The description of the model it starts from.
    pub(super) spec: Record,
    /// Its tokenizer.
    pub(super) tokenizer: Port,
}

/// Members that are arguments only where they are not what they are by default: older plans keep their keys.
const WHERE_CHANGED: &[&str] = &[
    "precision",
    "recompute",
    "z_loss",
    "publish",
    "on_spike",
    "position",
    "dropout",
    "packing",
    "evaluate",
    "sample",
];

/// Makes the arguments of a stage that trains on documents.
pub(super) fn begin(view: &View<'_>, planner: &mut dyn Planner) -> Result<Begun, Problem> {
    let member = if view.get("model").is_some() { "model" } else { "from" };
    let Output::Model { spec, tokenizer, weights } = model(view, member, planner)? else {
        return Err(Problem::error("LLMP0201", member, "this is not a model"));
    };
    let tokenizer = tokenizer
        .ok_or_else(|| Problem::error("LLMP0703", member, "the model has no tokenizer to train with"))?;
    let missing = |name: &str| Problem::error("LLMP0103", name, format!("`{name}` is missing"));
    let data = planner.data(view.get("data").ok_or_else(|| missing("data"))?)?;
    let course = course(view);
    let single = course.as_ref().filter(|c| c.0.len() == 1).map(|c| c.0[0]);
    let as_written = |name: &str| view.get(name).cloned().unwrap_or(Value::None);
    let context = match (context(view), single) {
        (_, Some(leg)) => Value::number(i128::from(leg.context)),
        (Some(Context::Fixed(context)), None) => Value::number(i128::from(context)),
        (Some(Context::Grow(_)), None) => as_written("context"),
        (None, None) => Value::None,
    };
    let planned = |name: &str| matches!(view.get(name), Some(Value::Call(_)));
    let batch = match single {
        Some(leg) if !planned("batch") => stage::sequences(leg.batch / leg.context.max(1)),
        _ => as_written("batch"),
    };
    let (rate, done) = match schedule::resolved(view) {
        Some(resolved) => (resolved.value, resolved.done),
        None => (view.get("schedule").cloned().unwrap_or(Value::None), 0),
    };
    let goal = goal(view).ok_or_else(|| missing("tokens"))?;
    let mut args: Record = [
        ("model", sizes_record(view)),
        ("from", weights.map_or(Value::None, Value::Port)),
        ("tokenizer", Value::Port(tokenizer.clone())),
        ("parts", Value::List(parts(data, &tokenizer, planner)?)),
        ("length", stage::length(goal)),
        ("context", if planned("context") { as_written("context") } else { context }),
        ("batch", batch),
        ("schedule", rate),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    if done > 0 {
        args.insert("schedule_done".into(), Value::number(i128::from(done)));
    }
    for name in ["optimizer", "clip", "attention", "accumulate", "checkpoints", "keep", "seed", "replicate"] {
        let name = if name == "keep" && view.kind.signature.name == "prune" { continue } else { name };
        args.insert(name.to_owned(), view.members.get(name).cloned().unwrap_or(Value::None));
    }
    for name in WHERE_CHANGED {
        let param = view.kind.signature.param(name);
        let default = param.and_then(|p| llmp_stdlib::literal::parse(p.default?).ok());
        let value = view.members.get(*name);
        // `sft` has a `packing` of another sense, yes or no.
        let own = |v: &&Value| *name != "packing" || matches!(v, Value::Choice(_));
        if let Some(value) = value.filter(own).filter(|v| default.as_ref() != Some(*v)) {
            args.insert((*name).to_owned(), value.clone());
        }
    }
    if view.get("evaluate").is_some() {
        let measured = eval::measured("measure", &measure(view), &tokenizer, planner)?;
        args.insert("measure".into(), measured);
    }
    Ok(Begun { args, spec, tokenizer })
}

/// What a stage is measured on meanwhile: as written, else the held-out parts of its data.
fn measure(view: &View<'_>) -> Vec<Value> {
    match view.get("measure") {
        Some(Value::List(written)) if !written.is_empty() => return written.clone(),
        _ => {}
    }
    let suite = |item: ItemRef| {
        let args = [("data".to_owned(), Value::Item(item))].into();
        Value::Call(Call { name: BitsPerByte::SIGNATURE.name.to_owned(), args })
    };
    held_out(view).into_iter().map(suite).collect()
}

/// The parts of a stage's data that a `split` holds out.
pub(super) fn held_out(view: &View<'_>) -> Vec<ItemRef> {
    let Some(Value::Item(data)) = view.get("data") else { return Vec::new() };
    let mixed = view.program.view(&data.item).filter(|it| it.kind.yields == Yields::Mix);
    let items = match mixed {
        Some(mix) => mix.members.keys().map(|key| ItemRef::of_key(key, view.program)).collect(),
        None => vec![data.clone()],
    };
    let split = |item: &ItemRef| {
        let value = view.program.view(&item.item).and_then(|it| it.value);
        let last = if let Some(Value::Pipe(_, steps)) = value { steps.last() } else { None };
        item.part.is_none() && last.is_some_and(|step| step.name == Split::SIGNATURE.name)
    };
    let part = |item: ItemRef| ItemRef { part: Some("heldout".to_owned()), ..item };
    items.into_iter().filter(split).map(part).collect()
}

/// What is measured meanwhile, and when, go together.
fn check_measure(view: &View<'_>) -> Option<Problem> {
    let written = matches!(view.get("measure"), Some(Value::List(all)) if !all.is_empty());
    match view.get("evaluate") {
        Some(_) if !written && held_out(view).is_empty() => {
            let message = "there is nothing to measure: no part of `data` is held out";
            let help = "write `measure = [bits_per_byte(…)]`, or end the dataset with `split(heldout = 1%)`";
            Some(Problem::error("LLMP0103", "evaluate", message).help(help))
        }
        None if written => {
            let message = "`measure` is never measured: `evaluate` says when";
            let problem = Problem::error("LLMP0103", "measure", message);
            Some(problem.help("write `evaluate = every(10%)`"))
        }
        Some(_) | None => None,
    }
}

/// The sizes that the runtime builds, or the description where it cannot or where they are not known.
fn sizes_record(view: &View<'_>) -> Value {
    let Some(known) = Known::of(view) else { return Value::None };
    let built = known.sizes.as_ref().and_then(|s| Some(s).filter(|s| s.lacks().is_empty())).cloned();
    match built {
        Some(mut spec) => {
            if !known.vocab {
                spec.vocab = 0;
            }
            // A stage trains within the positions of the model that it starts from, or lengthens them itself.
            if let Some(before) = chain::source(view).and_then(|s| Known::of(&s)?.context()) {
                spec.context = before as usize;
            }
            Value::Record(Decoder { spec }.to_record())
        }
        None => Value::Record(chain::described(&known.members)),
    }
}

/// The description of the model that a stage gives.
pub(super) fn result(view: &View<'_>, spec: Record) -> Record {
    let mut spec = Known::of(view).map_or(spec, |known| known.members);
    spec.shift_remove("tokenizer");
    spec
}

/// The token shards of a stage with their shares.
fn parts(data: Output, tokenizer: &Port, planner: &mut dyn Planner) -> Result<Vec<Value>, Problem> {
    let one = Rational::from(1);
    let parts = match data {
        Output::Port(port) => {
            vec![Part { name: String::new(), port, share: one, max_epochs: None, then: Vec::new() }]
        }
        Output::Mix(parts) => parts,
        Output::Nothing | Output::Model { .. } => {
            return Err(Problem::error("LLMP0201", "data", "this is not data"));
        }
    };
    let part = |part: Part| {
        let then = part.later();
        let tokens = planner.tokens(part.port, tokenizer.clone());
        let fields = [
            ("tokens", Value::Port(tokens)),
            ("share", Value::number(part.share)),
            ("max_epochs", part.max_epochs.map_or(Value::None, Value::number)),
        ];
        let mut fields: Record = fields.map(|(name, value)| (name.to_owned(), value)).into();
        fields.extend(then.map(|then| ("then".to_owned(), then)));
        Value::Record(fields)
    };
    Ok(parts.into_iter().map(part).collect())
}

/// Settings that one of the kinds asks for and this version's training loop does not have.
pub(super) fn lacks(view: &View<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let folder = super::described(view).is_some_and(|root| root.value.is_some());
    if folder && view.get("schedule").is_none() {
        let message =
            "the rate has no default: the sizes of the model are not known before its folder is read";
        let help = "write a `schedule`, such as `constant(1e-4)`";
        problems.push(Problem::error("LLMP0703", "schedule", message).help(help));
    }
    if let (Some(Batch::Ramp(_)), Some(Context::Grow(_))) = (view.read("batch"), view.read("context")) {
        let message = "this version does not grow a context beside a ramp of batches";
        let help = "give the phases of the ramp a `context` each, or one `batch`";
        problems.push(Problem::error("LLMP0703", "context", message).help(help));
    }
    if let Some(Value::List(suites)) = view.get("measure") {
        let runs = [BitsPerByte::SIGNATURE.name, Perplexity::SIGNATURE.name];
        let other = suites.iter().find_map(|suite| match suite {
            Value::Call(call) if !runs.contains(&call.name.as_str()) => Some(&call.name),
            _ => None,
        });
        problems.extend(other.map(|name| {
            let message = format!("a stage of this version does not measure `{name}` while it runs");
            Problem::error("LLMP0703", "measure", message).help("measure it behind the stage, with `eval`")
        }));
    }
    problems
}
