//! Kinds of training: pre-training stages, evaluations, releases.

mod chain;
pub mod classifier;
mod compare;
pub mod decoder;
pub mod distill;
mod eval;
pub mod merge;
pub mod post;
pub mod prefer;
mod pretrain;
pub mod prune;
mod quantize;
mod release;
pub mod reward_model;
pub mod rl;
mod schedule;
pub mod sft;
mod training;

use llmp_stdlib::{ItemRef, Output, Planner, Problem, Settings, Value, View};

pub use compare::{Compared, Comparing};
pub use distill::Distill;
pub use eval::{Asked, Eval, Evaluation, Measured};
pub use merge::Merge;
pub use pretrain::Pretrain;
pub use prune::Prune;
pub use quantize::{LinearBits, Palette, Quantize, QuantizeMethod, Quantizing, Recovery, RecoveryLora};
pub use release::{Release, Releasing, Written};

/// All kinds of this crate, sorted by name.
pub static ALL: &[&llmp_stdlib::Kind] = &[
    &classifier::KIND,
    &compare::KIND,
    &distill::KIND,
    &eval::KIND,
    &merge::KIND,
    &prefer::KIND,
    &pretrain::KIND,
    &prune::KIND,
    &quantize::KIND,
    &release::KIND,
    &reward_model::KIND,
    &rl::KIND,
    &sft::KIND,
];

/// The item that describes the model of a stage: back along its stages to a `model` item.
fn described<'a>(view: &View<'a>) -> Option<View<'a>> {
    chain::ancestry(view).into_iter().last().filter(|root| root.kind.signature.name == "model")
}

/// What a reference to a model became.
fn model(view: &View<'_>, member: &str, planner: &mut dyn Planner) -> Result<Output, Problem> {
    match view.get(member) {
        Some(Value::Item(item)) => planner.item(item),
        // One of several models that have one shape and one tokenizer: the choice gives the weights.
        Some(Value::Call(call)) if call.name == crate::steps::Pick::SIGNATURE.name => {
            let first = match call.args.get("models") {
                Some(Value::List(models)) => models.first().and_then(item_name),
                _ => None,
            };
            let first = first.ok_or_else(|| Problem::error("LLMP0201", member, "these are not models"))?;
            let Output::Model { spec, tokenizer, .. } = planner.item(first)? else {
                return Err(Problem::error("LLMP0201", member, "these are not models"));
            };
            let tokenizer_of = || Problem::error("LLMP0703", member, "the models have no tokenizer");
            let read = tokenizer.clone().ok_or_else(tokenizer_of)?;
            let by = call.args.get("by").cloned().into_iter().collect::<Vec<_>>();
            let models = ported(&call.args["models"], member, planner)?;
            let by = eval::measured(member, &by, &read, planner)?;
            let args = [("models", models), ("tokenizer", Value::Port(read)), ("by", by)];
            let args = args.map(|(name, value)| (name.to_owned(), value)).into();
            let signature = crate::steps::Pick::SIGNATURE;
            let weights = planner.step(signature.name, signature.rev, args);
            planner.name(&weights, format!("{}.{}", view.name, signature.name));
            Ok(Output::Model { spec, tokenizer, weights: Some(weights) })
        }
        Some(_) => {
            Err(Problem::error("LLMP0703", member, "a model is named by an item: write `model m = …` first"))
        }
        None => Err(Problem::error("LLMP0103", member, format!("`{member}` is missing"))),
    }
}

/// The trained model that a member refers to: its weights and its tokenizer.
fn trained(
    view: &View<'_>,
    planner: &mut dyn Planner,
) -> Result<(llmp_stdlib::Port, Option<llmp_stdlib::Port>), Problem> {
    match model(view, "model", planner)? {
        Output::Model { weights: Some(weights), tokenizer, .. } => Ok((weights, tokenizer)),
        _ => Err(untrained(view)),
    }
}

fn untrained(view: &View<'_>) -> Problem {
    let name = view.get("model").map(ToString::to_string).unwrap_or_default();
    let message = format!("`{name}` describes a model; it has no weights yet");
    Problem::error("LLMP0201", "model", message).help("name the stage that trains it")
}

/// A description where a trained model is needed.
fn check_trained(view: &View<'_>) -> Option<Problem> {
    let target = view.follow("model")?;
    let describes = target.kind.signature.name == "model" && target.value.is_none();
    describes.then(|| untrained(view))
}

/// The name of an item, if the value is one.
fn item_name(value: &Value) -> Option<&ItemRef> {
    if let Value::Item(item) = value { Some(item) } else { None }
}

/// A description where a model with weights is needed.
fn check_weights(view: &View<'_>, member: &str) -> Option<Problem> {
    let target = view.follow(member)?;
    let described = target.kind.signature.name == "model" && target.value.is_none();
    let message = || format!("`{}` describes a model; it has no weights yet", target.name);
    described.then(|| Problem::error("LLMP0201", member, message()).help("name the stage that trains it"))
}

/// A value with every model in it replaced by the step that gives its weights.
fn ported(value: &Value, member: &str, planner: &mut dyn Planner) -> Result<Value, Problem> {
    Ok(match value {
        Value::Item(item) => match planner.item(item)? {
            Output::Model { weights: Some(weights), .. } => Value::Port(weights),
            _ => {
                let message = format!("`{}` has no weights", item.item);
                return Err(Problem::error("LLMP0201", member, message));
            }
        },
        Value::List(items) => {
            Value::List(items.iter().map(|v| ported(v, member, planner)).collect::<Result<_, _>>()?)
        }
        Value::Call(call) => {
            let mut arg =
                |(name, value): (&String, &Value)| Ok((name.clone(), ported(value, member, planner)?));
            let args = call.args.iter().map(&mut arg).collect::<Result<_, Problem>>()?;
            Value::Call(llmp_stdlib::Call { name: call.name.clone(), args })
        }
        other => other.clone(),
    })
}
