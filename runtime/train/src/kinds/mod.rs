//! Kinds of training: pre-training stages, evaluations, releases.

pub mod classifier;
mod compare;
pub mod decoder;
mod eval;
pub mod post;
pub mod prefer;
mod pretrain;
mod release;
pub mod reward_model;
pub mod rl;
pub mod sft;

use llmp_stdlib::{ItemRef, Output, Planner, Problem, Settings, Value, View};

pub use eval::{Eval, Evaluation, Measured};
pub use pretrain::Pretrain;
pub use release::{Release, Releasing};

/// All kinds of this crate, sorted by name.
pub static ALL: &[&llmp_stdlib::Kind] = &[
    &classifier::KIND,
    &compare::KIND,
    &eval::KIND,
    &prefer::KIND,
    &pretrain::KIND,
    &release::KIND,
    &reward_model::KIND,
    &rl::KIND,
    &sft::KIND,
];

/// The item that describes the model of a stage: through `from` and `model` back to a `model` item.
fn described<'a>(view: &View<'a>) -> Option<View<'a>> {
    let mut at = *view;
    // No chain of items is longer than a program; a cycle is reported elsewhere.
    for _ in 0..1000 {
        if at.kind.signature.name == "model" {
            return Some(at);
        }
        at = at.follow("model").or_else(|| at.follow("from"))?;
    }
    None
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
            let weights = planner.call(call, &[])?;
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

/// A setting whose runtime does not exist yet, written with another value than its default.
fn unavailable(member: &str, what: &str, default: &str) -> Problem {
    let message = format!("{what} is not available yet");
    Problem::error("LLMP0703", member, message).fix(format!("use `{default}`"), member, default)
}
