//! What the kinds of post-training share: where a policy comes from, the order of stages, data, lengths, adapters.

mod data;
mod settings;

use llmp_nn::spec::Pass;
use llmp_stdlib::arg::BatchSize;
use llmp_stdlib::kind::Cost;
use llmp_stdlib::{Dim, Output, Planner, Port, Problem, Quantity, Rational, Record, StageCost, Value, View};

use super::chain::Known;
use crate::budget::{Budget, Goal, micro_rows};
use crate::optimizers::Optimizer;
use crate::settings::{Epochs, Publish, Steps};

pub use data::{ChatData, PairData, PromptData, SuiteTarget};
pub(super) use data::{ancestors, check_template, columns_of, held_out, parts, state_of, steps_of};
pub use settings::{Adapter, AdapterTargets, LinearLayers, Lora};

/// How far a model has been trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trained {
    /// Described, without weights.
    Init,
    /// On text.
    Base,
    /// On conversations.
    Sft,
    /// By preferences or rewards.
    Aligned,
}

impl Trained {
    fn show(self) -> &'static str {
        match self {
            Trained::Init => "a model without weights",
            Trained::Base => "a base model",
            Trained::Sft => "a model tuned on conversations",
            Trained::Aligned => "an aligned model",
        }
    }
}

/// How far an item's model has been trained; `None` where that cannot be said.
pub(super) fn trained_to(view: &View<'_>) -> Option<Trained> {
    match view.kind.signature.name {
        "model" => match view.value {
            Some(Value::Call(call)) => match call.args.get("stage") {
                Some(Value::Choice(stage)) if stage == "base" => Some(Trained::Base),
                Some(Value::Choice(stage)) if stage == "sft" => Some(Trained::Sft),
                Some(Value::Choice(stage)) if stage == "aligned" => Some(Trained::Aligned),
                _ => None,
            },
            _ => Some(Trained::Init),
        },
        "pretrain" => Some(Trained::Base),
        "sft" => Some(Trained::Sft),
        "prefer" | "rl" => Some(Trained::Aligned),
        "distill" | "prune" | "quantize" => {
            let before = view.follow("from").and_then(|from| trained_to(&from));
            before.map(|stage| stage.max(Trained::Base)).or(Some(Trained::Base))
        }
        _ => None,
    }
}

/// Rules on where a stage starts: weights are needed (error), another stage than the usual one is said (warning).
pub(super) fn check_from(view: &View<'_>, usual: Trained) -> Vec<Problem> {
    let Some(target) = view.follow("from") else { return Vec::new() };
    match trained_to(&target) {
        Some(Trained::Init) => {
            let message = format!("`{}` describes a model; it has no weights to go on from", target.name);
            vec![Problem::error("LLMP0201", "from", message).help("name the stage that trains it")]
        }
        Some(stage) if stage < usual => {
            let kind = view.kind.signature.name;
            let message =
                format!("`{kind}` starts from {}; it usually starts from {}", stage.show(), usual.show());
            let help = "write `@allow(LLMP0208)` before the item if that is meant";
            vec![Problem::warning("LLMP0208", "from", message).help(help)]
        }
        _ => Vec::new(),
    }
}

/// The tokenizer of the model that an item goes back to.
pub(super) fn tokenizer<'a>(view: &View<'a>) -> Option<&'a Value> {
    super::described(view)?.get("tokenizer")
}

/// A model that must read the same token ids as the one that is trained.
pub(super) fn check_tokenizer(view: &View<'_>, path: &str, other: &View<'_>, what: &str) -> Option<Problem> {
    let (own, its) = (tokenizer(&view.follow("from")?)?, tokenizer(other)?);
    if own == its {
        return None;
    }
    let message = format!("{what} `{}` reads the tokens of `{its}`, the policy those of `{own}`", other.name);
    let help = "log-probabilities of two models are compared token by token: both need one tokenizer";
    Some(Problem::error("LLMP0504", path, message).help(help))
}

/// The policy that a stage goes on from.
pub(super) struct Policy {
    pub(super) spec: Record,
    pub(super) tokenizer: Option<Port>,
    pub(super) weights: Port,
}

/// What `from` became.
pub(super) fn policy(view: &View<'_>, planner: &mut dyn Planner) -> Result<Policy, Problem> {
    match super::model(view, "from", planner)? {
        Output::Model { spec, tokenizer, weights: Some(weights) } => Ok(Policy { spec, tokenizer, weights }),
        _ => Err(Problem::error("LLMP0201", "from", "this has no weights to go on from")),
    }
}

/// One step of the runtime with the policy, the data and all other members of the item.
pub(super) fn stage(
    view: &View<'_>,
    planner: &mut dyn Planner,
    data: &[(&str, Value)],
    skip: &[&str],
) -> Result<Output, Problem> {
    let Policy { spec, tokenizer, weights } = policy(view, planner)?;
    let mut args: Record = [
        ("from".to_owned(), Value::Port(weights)),
        ("tokenizer".to_owned(), tokenizer.clone().map_or(Value::None, Value::Port)),
    ]
    .into();
    args.extend(data.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    for param in view.kind.signature.params {
        if !args.contains_key(param.name) && !skip.contains(&param.name) {
            args.insert(param.name.to_owned(), view.members.get(param.name).cloned().unwrap_or(Value::None));
        }
    }
    let signature = view.kind.signature;
    let weights = planner.step(signature.name, signature.rev, args);
    Ok(Output::Model { spec, tokenizer, weights: Some(weights) })
}

/// Sequences of a batch, or examples where each has rows of its own, of a stage that names none.
pub const SEQUENCES: u64 = 16;

/// The length of a stage that names none: once over its data.
pub(super) fn once(view: &View<'_>) -> Option<(&'static str, Value)> {
    let named = view.get("steps").is_some() || view.get("epochs").is_some();
    let one = || Value::Number(Quantity::new(Rational::from(1), Dim::EPOCHS));
    (!named).then(|| ("epochs", one()))
}

/// Numbers that every stage of gradient steps checks: its length, batch and gradient limit are above zero.
pub(super) fn check_numbers(view: &View<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let zero = llmp_stdlib::Rational::from(0);
    for member in ["steps", "epochs", "batch", "clip", "max_tokens", "temperature", "context"] {
        if let Some(Value::Number(q)) = view.get(member)
            && q.amount <= zero
        {
            problems.push(Problem::error("LLMP0209", member, format!("`{member}` must be above 0")));
        }
    }
    if view.read::<f64>("dropout").is_some_and(|d| !(0.0..1.0).contains(&d)) {
        problems.push(Problem::error(
            "LLMP0209",
            "dropout",
            "dropout lies between 0% and 100%, the end left out",
        ));
    }
    problems
}

/// Cost of a stage whose length is known before the run: a number of steps.
pub(super) fn cost(view: &View<'_>) -> Option<Cost> {
    let goal = view
        .read::<Steps>("steps")
        .map(|s| Goal::Steps(s.0))
        .or_else(|| view.read::<Epochs>("epochs").map(|e| Goal::Epochs(e.0)))?;
    let known = Known::of(view)?;
    let sizes = known.counted()?;
    let context = view.read::<u64>("context").or(known.context())?;
    let batch = view.read::<BatchSize>("batch").unwrap_or(BatchSize::Sequences(SEQUENCES));
    let budget = Budget::new(goal, Some(batch), context, None)?;
    let whole = sizes.trained_bytes();
    let optimizer =
        view.read::<Optimizer>("optimizer").map_or(8 * sizes.parameters(), |o| o.state_bytes(sizes));
    // The optimizer keeps numbers of an adapter alone; the weights beneath it are held besides their sum.
    let (weights, optimizer) = match view.read::<Adapter>("adapter") {
        None => (whole, optimizer),
        Some(Adapter::Lora(lora)) => {
            let numbers = lora.layers().numbers(sizes, lora.rank);
            let share = numbers as f64 / sizes.parameters().max(1) as f64;
            (whole + 4 * sizes.parameters() + 8 * numbers, (optimizer as f64 * share) as u64)
        }
    };
    let rows = micro_rows(budget.rows, context);
    let pass = Pass { rows, length: context, bytes: 4, recompute: false };
    let activations = sizes.activation_bytes(pass);
    Some(Cost::Stage(StageCost {
        tokens: budget.tokens(),
        steps: budget.steps(),
        flops: sizes.flops_per_token(context as f64) * budget.tokens() as f64,
        memory_bytes: weights + optimizer + activations,
        weight_bytes: weights,
        optimizer_bytes: optimizer,
        activation_bytes: activations,
        checkpoint_bytes: sizes.parameters() * 4 * 2 + optimizer,
    }))
}

/// What a stage with an adapter cannot do yet.
pub(super) fn lacks_of_adapter(view: &View<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let Some(Adapter::Lora(lora)) = view.read("adapter") else { return problems };
    if lora.dropout > 0.0 {
        let message = "an adapter is laid over the weights, so its inputs cannot be left out at random";
        let help = "write `dropout = 0` in `lora(…)`; the stage's own `dropout` works";
        problems.push(Problem::error("LLMP0703", "adapter.dropout", message).help(help));
    }
    if matches!(view.read("publish"), Some(Publish::Averaged(_))) {
        let message = "this version does not average the moments of an adapter";
        problems.push(Problem::error("LLMP0703", "publish", message).fix("take the last", "publish", "last"));
    }
    problems
}
