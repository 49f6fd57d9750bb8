//! `prefer name { … }`: learns from preferences without a reward model in the loop.

mod losses;

use llmp_data::templates::Template;
use llmp_stdlib::arg::{BatchSize, ModelRef, RewardRef};
use llmp_stdlib::kind::Group;
use llmp_stdlib::{Arg, Form, Kind, Output, Planner, Problem, Settings, State, Ty, Value, View, Yields};

pub use losses::{Dpo, Hinge, Ipo, Kto, Length, NllPer, Orpo, PairFormula, PreferLoss, Simpo, Written};

use super::post::{self, Adapter, PairData, Trained};
use crate::optimizers::Optimizer;
use crate::schedules::Schedule;
use crate::settings::{Epochs, Precision, Publish, Steps};

llmp_stdlib::choices! {
    /// The reference that a stage gives by itself.
    OwnReference = "reference" {
        /// The model that the stage starts from.
        From = "from",
    }
}

/// The frozen model that the policy is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Reference {
    /// The model that the stage starts from.
    From,
    /// Another model.
    Model(ModelRef),
}

impl Arg for Reference {
    const TY: Ty = Ty::OneOf(&[OwnReference::TY, ModelRef::TY]);
    fn read(value: &Value) -> Result<Self, String> {
        OwnReference::read(value)
            .map(|_| Reference::From)
            .or_else(|_| ModelRef::read(value).map(Reference::Model))
    }
}

llmp_stdlib::choices! {
    /// Tokens that the loss leaves out, in both answers.
    FormatTokens = "format tokens" {
        /// Those that open a turn.
        Header = "header_tokens",
        /// Those that end a turn.
        End = "end_tokens",
    }
}

llmp_stdlib::def! {
    /// Pairs of the policy's own answers: of `n` samples the one with the best and the one with the worst reward (F25; Qwen 2,
    /// second stage). A prompt whose answers all have one reward gives no pair. The reward model reads text with its own tokenizer.
    ///
    /// ```llmp
    /// online = sample(n = 8, by = judge)
    /// ```
    SampledPairs = "sample", rev 1, check two {
        /// Answers for each prompt.
        n: u64 = "8",
        /// The reward model that orders them.
        by: RewardRef,
        /// Sampling temperature.
        temperature: f64 = "1.0",
        /// Longest answer, in tokens.
        @binary max_tokens: u64 = "1024",
    }
}

fn two(it: &SampledPairs) -> Vec<Problem> {
    let problem = Problem::error("LLMP0209", "n", "a pair needs at least two answers").fix("use 8", "n", "8");
    (it.n < 2).then_some(problem).into_iter().collect()
}

llmp_stdlib::family! {
    /// Where pairs come from while a stage runs.
    Online = "online pairs" { SampledPairs }
}

llmp_stdlib::def! {
    /// Learns from preferences without a reward model in the loop.
    ///
    /// Llama 3.1: six rounds of DPO with beta 0.1 and rate 1e-5, 0.2 of the chosen answer's NLL, header and end tokens masked in both
    /// answers. Qwen 2: first on a fixed set, then on pairs of its own answers. Without a length it passes once over the data.
    /// Records with an answer that does not fit into a sequence are left out and counted.
    ///
    /// A stage of so many epochs asks the reference once, before it begins, and keeps what it said for every stage on the same data;
    /// with `steps`, with `kto` and with `online` the reference runs beside the policy. Both give the same numbers.
    ///
    /// Each line of `metrics.jsonl` has, under `objective`, the mean log-probability of chosen and rejected answers, what each
    /// gained over the reference, the share of pairs whose chosen answer gained more (`accuracy`), by how much (`margin`), and an
    /// estimate of the divergence from the reference in nats a token on these answers (`kl`).
    ///
    /// ```llmp
    /// prefer aligned {
    ///   from     = tuned
    ///   data     = pairs
    ///   loss     = dpo(beta = 0.1, nll = 0.2)
    ///   loss_off = [header_tokens, end_tokens]
    ///   schedule = constant(1e-5)
    /// }
    /// ```
    Prefer = "prefer", rev 1 {
        /// The model to go on from.
        from: ModelRef,
        /// Pairs of answers; labelled answers for `kto`; prompts with `online`.
        data: PairData,
        /// What is learnt from them.
        loss: PreferLoss = "dpo()",
        /// The frozen model that the policy is compared with.
        reference: Option<Reference> = "from",
        /// Format tokens that the loss leaves out.
        loss_off: Vec<FormatTokens> = "[]",
        /// Pairs that the policy samples by itself.
        online: Option<Online> = "none",
        /// How the turns are written; without it the tokenizer's own template.
        template: Option<Template> = "none",
        /// Length of the stage in passes over its data; without `epochs` and `steps` one.
        epochs: Option<Epochs> = "none",
        /// Length of the stage in optimizer steps.
        steps: Option<Steps> = "none",
        /// Tokens of a sequence; without it those of the model.
        @binary context: Option<u64> = "none",
        /// Size of a batch; a pair counts as two sequences.
        batch: Option<BatchSize> = "none",
        /// Weights that are trained beside the frozen model; the reference is then the model without them.
        adapter: Option<Adapter> = "none",
        /// How gradients change the weights.
        optimizer: Optimizer = "adamw()",
        /// The learning rate over the stage.
        schedule: Schedule = "constant(1e-6)",
        /// Largest norm of the gradient over all parameters.
        clip: Option<f64> = "1.0",
        /// Share of activations that are left out at random.
        dropout: f64 = "0",
        /// Number format of matrix products.
        precision: Precision = "f32",
        /// Which weights the stage gives.
        publish: Publish = "last",
        /// Seed of the order and of samples.
        seed: u64 = "0",
        /// Another random stream of the same seed.
        replicate: u64 = "0",
    }
}

/// The kind.
pub(super) static KIND: Kind = Kind {
    groups: &[Group { members: &["epochs", "steps"], required: false }],
    check,
    lacks: post::lacks_of_adapter,
    cost: post::cost,
    ..Kind::new(Prefer::SIGNATURE, Form::Block, Yields::Model, elaborate)
};

fn check(view: &View<'_>) -> Vec<Problem> {
    let mut problems = post::check_from(view, Trained::Sft);
    problems.extend(post::check_numbers(view));
    if let Some(loss) = view.read::<PreferLoss>("loss") {
        problems.extend(check_reference(view, &loss));
        problems.extend(check_data(view, &loss));
    }
    problems.extend(post::check_template(view, "data"));
    problems.extend(check_sampler(view));
    problems.extend(check_judge(view));
    problems
}

fn check_reference(view: &View<'_>, loss: &PreferLoss) -> Option<Problem> {
    let given = view.members.get("reference")?;
    if *given == Value::None {
        let message = format!("`{}` compares with a reference, and `reference` is none", loss.name());
        let help = "losses without a reference: simpo, orpo";
        let problem = Problem::error("LLMP0616", "reference", message).help(help);
        return loss
            .needs_reference()
            .then(|| problem.fix("take the model it starts from", "reference", "from"));
    }
    if !loss.needs_reference() {
        let message = format!("`{}` has no reference: this one is not read", loss.name());
        let unread =
            Problem::warning("LLMP0616", "reference", message).fix("leave it out", "reference", "none");
        return view.written("reference").then_some(unread);
    }
    let other = view.target(given)?;
    post::check_tokenizer(view, "reference", &other, "the reference")
}

fn check_data(view: &View<'_>, loss: &PreferLoss) -> Option<Problem> {
    let data = view.get("data")?;
    let state = post::state_of(view, data)?;
    let online = view.get("online").is_some();
    if online && !loss.needs_pairs() {
        let message = format!("`online` makes pairs, `{}` learns from single answers", loss.name());
        let help = "dpo, ipo, hinge, simpo, orpo and formula learn from pairs";
        return Some(Problem::error("LLMP0410", "online", message).help(help));
    }
    let lacks = |needs: &str, help: &str| {
        let message = format!("`{}` needs {needs}; {} records have none", loss.name(), state.show());
        Some(Problem::error("LLMP0410", "data", message).help(help.to_owned()))
    };
    match state {
        State::Prompt if !online => lacks(
            "answers",
            "let the policy answer: `online = sample(n = 8, by = …)`, or make pairs with `best_worst_pair()`",
        ),
        State::Labelled if loss.needs_pairs() => {
            lacks("a chosen and a rejected answer", "single labelled answers are what `kto` learns from")
                .map(|problem| problem.fix("learn with `kto`", "loss", "kto()"))
        }
        State::Preference if online => {
            let message = "`online` samples answers to prompts; these records are pairs already";
            let problem = Problem::error("LLMP0410", "data", message);
            Some(
                problem
                    .help("take prompts: `pairs |> as_prompt()`, or learn from the pairs as they are")
                    .fix("learn from the pairs as they are", "online", "none"),
            )
        }
        _ => None,
    }
}

/// Pairs out of answers of a model that the policy has left behind.
fn check_sampler(view: &View<'_>) -> Option<Problem> {
    let data = view.get("data")?;
    let from = view.follow("from")?;
    let older = post::ancestors(&from);
    for step in post::steps_of(view, data).into_iter().filter(|call| call.name == "generate") {
        let models: Vec<View<'_>> = match step.args.get("model") {
            Some(Value::Call(call)) => match call.args.get("models") {
                Some(Value::List(items)) => items.iter().filter_map(|m| view.target(m)).collect(),
                _ => Vec::new(),
            },
            Some(model) => view.target(model).into_iter().collect(),
            None => Vec::new(),
        };
        if models.iter().any(|m| m.name == from.name) {
            continue;
        }
        if let Some(old) = models.iter().find(|m| older.contains(&m.name)) {
            let message =
                format!("these pairs were sampled from `{}`, the policy is `{}`", old.name, from.name);
            let help = "the further the policy has moved, the less its own errors are among the pairs: sample from the \
                        model that is trained, or use `online`";
            return Some(Problem::warning("LLMP0606", "data", message).help(help));
        }
    }
    None
}

/// The reward model of `online` reads text, so another tokenizer is possible and worth a word.
fn check_judge(view: &View<'_>) -> Option<Problem> {
    let Some(Value::Call(call)) = view.get("online") else { return None };
    let judge = view.target(call.args.get("by")?)?;
    super::rl::other_tokenizer(view, "online.by", &judge)
}

fn elaborate(view: &View<'_>, planner: &mut dyn Planner) -> Result<Output, Problem> {
    let data = post::parts(view, "data", planner)?;
    let mut extra = vec![("data", data.clone())];
    extra.extend(post::once(view));
    let given = view.members.get("reference").cloned().unwrap_or(Value::None);
    // The model that the stage starts from is one input, however it is named.
    let own = given == Value::Choice("from".into()) || Some(&given) == view.get("from");
    extra.push(("reference", if own { Value::Choice("from".into()) } else { given.clone() }));
    if let Some(Value::Call(call)) = view.get("online") {
        let judge = call.args.get("by").cloned().unwrap_or(Value::None);
        if let Value::Item(judge) = &judge
            && let Output::Model { tokenizer: Some(tokenizer), .. } = planner.item(judge)?
        {
            extra.push(("judge_tokenizer", Value::Port(tokenizer)));
        }
    }
    let loss = view.read::<PreferLoss>("loss");
    let before = view.get("online").is_none()
        && view.get("steps").is_none()
        && loss.is_some_and(|loss| loss.needs_reference() && loss.needs_pairs());
    if before && given != Value::None {
        let said = refer(view, planner, data, if own { None } else { Some(given) })?;
        extra.push(("said", said));
        extra.retain(|(name, _)| *name != "reference");
        extra.push(("reference", Value::None));
    }
    post::stage(view, planner, &extra, &[])
}

/// Members that decide what a reference is asked.
const ASKED: &[&str] = &["loss_off", "template", "context", "precision"];

/// What the reference says of the data, as a step of its own that stages share: `reference` is another model than the one that the
/// stage starts from.
fn refer(
    view: &View<'_>,
    planner: &mut dyn Planner,
    data: Value,
    reference: Option<Value>,
) -> Result<Value, Problem> {
    let post::Policy { tokenizer, weights, .. } = post::policy(view, planner)?;
    let mut args: llmp_stdlib::Record = [
        ("from", Value::Port(weights.clone())),
        ("tokenizer", tokenizer.map_or(Value::None, Value::Port)),
        ("data", data),
        ("reference", reference.unwrap_or(Value::Port(weights))),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    for name in ASKED {
        args.insert((*name).to_owned(), view.members.get(*name).cloned().unwrap_or(Value::None));
    }
    Ok(Value::Port(planner.step("refer", 1, args)))
}
