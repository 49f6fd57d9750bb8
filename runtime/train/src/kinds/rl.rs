//! `rl name { … }`: learns from rewards of its own answers.

use llmp_data::templates::Template;
use llmp_stdlib::arg::{BatchSize, ModelRef, RewardRef};
use llmp_stdlib::{Arg, Form, Kind, Output, Planner, Problem, Settings, Ty, Value, View, Yields};

use super::post::{self, Adapter, PromptData, Trained};
use crate::optimizers::Optimizer;
use crate::schedules::Schedule;
use crate::settings::{Precision, Publish, Steps};
use crate::steps::Verifier;

llmp_stdlib::choices! {
    /// A model that the policy is held to, other than an item.
    Anchor = "anchor" {
        /// The model that the stage starts from.
        From = "from",
        /// A moving average of the policy (WARP: 0.01 a step).
        Ema = "ema",
    }
}

/// The model that the policy is held to.
#[derive(Debug, Clone, PartialEq)]
pub enum HeldTo {
    /// One that the stage has by itself.
    Anchor(Anchor),
    /// An item.
    Model(ModelRef),
}

impl Arg for HeldTo {
    const TY: Ty = Ty::OneOf(&[Anchor::TY, ModelRef::TY]);
    fn read(value: &Value) -> Result<Self, String> {
        Anchor::read(value).map(HeldTo::Anchor).or_else(|_| ModelRef::read(value).map(HeldTo::Model))
    }
}

llmp_stdlib::def! {
    /// The log-ratio of the policy to another model, as a part of the reward (F28): with a negative weight the policy stays near it.
    ///
    /// ```llmp
    /// reward = sum([judge, kl(weight = -0.05, to = from)])
    /// ```
    Kl = "kl", rev 1, check pulls {
        /// Its weight; negative.
        weight: f64 = "-0.05",
        /// The model that the policy is held to.
        to: HeldTo = "from",
    }
}

fn pulls(it: &Kl) -> Vec<Problem> {
    let message = format!("a weight of {} rewards the policy for leaving the other model", it.weight);
    let problem = Problem::warning("LLMP0617", "weight", message).help("the weight of a KL term is negative");
    (it.weight > 0.0)
        .then(|| problem.fix("turn the sign", "weight", format!("-{}", it.weight)))
        .into_iter()
        .collect()
}

llmp_stdlib::def! {
    /// A reward times a number.
    Scaled = "scaled", rev 1 {
        /// The reward model.
        of: RewardRef,
        /// The number.
        by: f64,
    }
}

llmp_stdlib::def! {
    /// A reward for answers that end before the limit, and a penalty for those that do not (DAPO, Tulu 3).
    Ends = "ends", rev 1 {
        /// Added where an answer does not end.
        missing: f64 = "-1",
        /// Tokens before the limit over which the penalty rises; 0: at once.
        soft: u64 = "0",
    }
}

llmp_stdlib::family! {
    /// A part of a reward besides a reward model or a verifier.
    RewardTerm = "reward term" { Ends, Kl, Scaled }
}

const TERM: Ty = Ty::OneOf(&[RewardRef::TY, Verifier::TY, RewardTerm::TY]);

/// A reward: of a model, of a verifier, or a term.
#[derive(Debug, Clone, PartialEq)]
pub struct RewardPart(pub Value);

impl Arg for RewardPart {
    const TY: Ty = TERM;
    fn read(value: &Value) -> Result<Self, String> {
        Ok(RewardPart(value.clone()))
    }
}

llmp_stdlib::def! {
    /// The sum of several rewards.
    ///
    /// ```llmp
    /// reward = sum([judge, kl(weight = -0.05, to = tuned)])
    /// ```
    Sum = "sum", rev 1, check some {
        /// The rewards.
        terms: Vec<RewardPart>,
    }
}

fn some(it: &Sum) -> Vec<Problem> {
    let empty = it.terms.is_empty();
    empty
        .then(|| Problem::error("LLMP0209", "terms", "a sum of no rewards is always 0"))
        .into_iter()
        .collect()
}

llmp_stdlib::family! {
    /// Several rewards as one.
    RewardSum = "reward" { Sum }
}

/// What an answer is worth.
#[derive(Debug, Clone, PartialEq)]
pub struct Reward(pub Value);

impl Arg for Reward {
    const TY: Ty = Ty::OneOf(&[RewardSum::TY, RewardRef::TY, Verifier::TY, RewardTerm::TY]);
    fn read(value: &Value) -> Result<Self, String> {
        Ok(Reward(value.clone()))
    }
}

llmp_stdlib::def! {
    /// Each answer against the mean of the others to its prompt (F30; RLOO, AFM's MDLOO).
    LeaveOneOut = "leave_one_out", rev 1, check several_left {
        /// Answers for each prompt.
        samples: u64 = "8",
    }
}

fn several_left(it: &LeaveOneOut) -> Vec<Problem> {
    several(it.samples)
}

fn several(samples: u64) -> Vec<Problem> {
    let message = "an answer is compared with others to its prompt: at least two samples";
    let problem = Problem::error("LLMP0209", "samples", message).fix("use 8", "samples", "8");
    (samples < 2).then_some(problem).into_iter().collect()
}

llmp_stdlib::choices! {
    /// How advantages of a group are scaled.
    Scale = "scale" {
        /// By the group's standard deviation (GRPO).
        Std = "std",
        /// Not at all (Dr. GRPO).
        Off = "off",
    }
}

llmp_stdlib::def! {
    /// Each answer against its group (F33; GRPO). The deviation is the unbiased one plus 1e-4, as in TRL.
    Group = "group", rev 1, check several_group {
        /// Answers for each prompt.
        samples: u64 = "16",
        /// How advantages are scaled.
        scale: Scale = "std",
        /// Sample again, up to three times, where all answers of a group have one reward (after DAPO).
        resample: bool = "false",
    }
}

fn several_group(it: &Group) -> Vec<Problem> {
    several(it.samples)
}

llmp_stdlib::def! {
    /// Each answer against a running mean of all rewards (F29); those of the first round against their own mean.
    Baseline = "baseline", rev 1 {
        /// What the mean keeps at each step.
        decay: f64 = "0.9",
        /// Answers for each prompt.
        samples: u64 = "1",
    }
}

llmp_stdlib::family! {
    /// How much better an answer is than expected.
    Advantage = "advantage" { Baseline, Group, LeaveOneOut }
}

llmp_stdlib::def! {
    /// The plain policy gradient (F29; REINFORCE, Gemma).
    PolicyGradient = "policy_gradient", rev 1 {}
}

llmp_stdlib::choices! {
    /// How the losses of tokens become that of a round.
    Mean = "mean" {
        /// The mean over answers of the mean over their tokens (GRPO as published).
        Answer = "answer",
        /// One mean over all tokens (DAPO).
        Token = "token",
        /// The sum over all tokens by answers times `max_tokens` (Dr. GRPO).
        Longest = "longest",
    }
}

llmp_stdlib::def! {
    /// Ratios of tokens clipped on both sides (F32, F33; PPO, GRPO; DAPO: 0.2 and 0.28).
    Clipped = "clipped", rev 1, check clip {
        /// How far a ratio may fall.
        low: f64 = "0.2",
        /// How far it may rise.
        high: f64 = "0.2",
        /// Gradient steps on one set of samples.
        inner_steps: u64 = "1",
        /// How the losses of tokens become that of a round.
        mean: Mean = "answer",
        /// Weight of a penalty in the loss for leaving the model that the stage starts from (GRPO, the estimator k3); a term `kl` in the
        /// reward does the same by the advantages.
        kl: f64 = "0",
    }
}

fn clip(it: &Clipped) -> Vec<Problem> {
    let wrong = !(0.0..1.0).contains(&it.low) || it.high <= 0.0;
    let message = "clipped: `low` lies from 0 to below 1, `high` above 0";
    let mut problems: Vec<Problem> =
        wrong.then(|| Problem::error("LLMP0209", "low", message)).into_iter().collect();
    if it.inner_steps == 0 {
        problems.push(Problem::error("LLMP0209", "inner_steps", "clipped takes at least one step"));
    }
    if it.kl < 0.0 {
        let message = "a negative penalty rewards the policy for leaving the model that it starts from";
        problems.push(Problem::error("LLMP0209", "kl", message));
    }
    problems
}

llmp_stdlib::def! {
    /// Mirror descent: several steps with a penalty on the distance to the policy that sampled (F31; AFM's MDLOO).
    ///
    /// The penalty is against the previous policy: it bounds one step and does not hold the policy near where it started.
    MirrorDescent = "mirror_descent", rev 1, check mirror {
        /// Gradient steps on one set of samples.
        inner_steps: u64 = "16",
        /// Weight of the distance (not published; recipes use 0.05).
        kl: f64 = "0.05",
    }
}

fn mirror(it: &MirrorDescent) -> Vec<Problem> {
    let mut problems = Vec::new();
    if it.inner_steps == 0 {
        problems.push(Problem::error("LLMP0209", "inner_steps", "mirror_descent takes at least one step"));
    }
    if it.kl <= 0.0 {
        problems.push(Problem::error("LLMP0209", "kl", "mirror_descent: `kl` must be above 0"));
    }
    problems
}

llmp_stdlib::family! {
    /// How advantages change the policy.
    Update = "update" { Clipped, MirrorDescent, PolicyGradient }
}

llmp_stdlib::def! {
    /// Learns from rewards of its own answers.
    ///
    /// In every round the policy answers the prompts of a batch, the answers are rewarded, and one or several gradient steps are taken on
    /// them; lengths of the schedule count gradient steps. `metrics.jsonl` holds the mean reward, its standard deviation, the log-ratio to the
    /// model of the first `kl` term, tokens of an answer, the share that ended, and an estimate of the entropy of a token.
    ///
    /// AFM: leave-one-out advantages with mirror descent (MDLOO, section 4.2.2). Gemma 2: policy gradient with a KL term against a
    /// moving average. Verifiers as rewards (Tulu 3's RLVR) stand where a reward model does.
    ///
    /// ```llmp
    /// rl aligned {
    ///   from      = tuned
    ///   prompts   = asks
    ///   reward    = sum([judge, kl(weight = -0.05, to = tuned)])
    ///   advantage = leave_one_out(samples = 8)
    ///   update    = mirror_descent(inner_steps = 16, kl = 0.05)
    ///   steps     = 2000
    /// }
    /// ```
    Rl = "rl", rev 1 {
        /// The model to go on from.
        from: ModelRef,
        /// Prompts that it answers.
        prompts: PromptData,
        /// What an answer is worth.
        reward: Reward,
        /// How much better an answer is than expected.
        advantage: Advantage = "leave_one_out()",
        /// How advantages change the policy.
        update: Update = "policy_gradient()",
        /// Length of the stage in rounds of sampling and updating.
        steps: Steps,
        /// Prompts of a step, as sequences.
        batch: Option<BatchSize> = "none",
        /// Longest answer, in tokens.
        @binary max_tokens: u64 = "1024",
        /// Sampling temperature. Log-probabilities are those at temperature 1.
        temperature: f64 = "1.0",
        /// How the turns are written; without it the tokenizer's own template.
        template: Option<Template> = "none",
        /// Weights that are trained beside the frozen model.
        adapter: Option<Adapter> = "none",
        /// How gradients change the weights.
        optimizer: Optimizer = "adamw()",
        /// The learning rate over the stage.
        schedule: Schedule = "constant(1e-6)",
        /// Largest norm of the gradient over all parameters.
        clip: Option<f64> = "1.0",
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
    check,
    lacks: post::lacks_of_adapter,
    ..Kind::new(Rl::SIGNATURE, Form::Block, Yields::Model, elaborate)
};

/// The parts of a reward, each with its path.
fn terms<'a>(view: &View<'a>) -> Vec<(String, &'a Value)> {
    match view.get("reward") {
        Some(Value::Call(call)) if call.name == "sum" => match call.args.get("terms") {
            Some(Value::List(items)) => {
                items.iter().enumerate().map(|(i, item)| (format!("reward.terms.{i}"), item)).collect()
            }
            _ => Vec::new(),
        },
        Some(one) => vec![("reward".to_owned(), one)],
        None => Vec::new(),
    }
}

fn check(view: &View<'_>) -> Vec<Problem> {
    let mut problems = post::check_from(view, Trained::Sft);
    problems.extend(post::check_numbers(view));
    problems.extend(post::check_template(view, "prompts"));
    problems.extend(check_truths(view));
    let (mut learned, mut held) = (false, false);
    let terms = terms(view);
    let kl = |value: &Value| matches!(value, Value::Call(call) if call.name == "kl");
    if !terms.is_empty() && terms.iter().all(|(_, value)| kl(value)) {
        let message = "the reward holds the policy near a model and asks for nothing else";
        problems.push(Problem::error("LLMP0617", "reward", message).help("add a reward model or a verifier"));
    }
    for (path, value) in terms {
        match value {
            Value::Call(call) if call.name == "kl" => {
                held = true;
                let other = call.args.get("to").and_then(|to| view.target(to));
                let path = format!("{path}.to");
                problems
                    .extend(other.and_then(|other| post::check_tokenizer(view, &path, &other, "the model")));
            }
            Value::Call(call) => {
                let judge = call.args.get("of").and_then(|of| view.target(of));
                learned |= judge.is_some();
                problems.extend(judge.and_then(|judge| other_tokenizer(view, &path, &judge)));
            }
            other => {
                let judge = view.target(other);
                learned |= judge.is_some();
                problems.extend(judge.and_then(|judge| other_tokenizer(view, &path, &judge)));
            }
        }
    }
    let mirror = matches!(view.get("update"), Some(Value::Call(call)) if call.name == "mirror_descent");
    if learned && !held && mirror {
        let message = "nothing holds the policy near where it started: the KL of `mirror_descent` is to the previous policy";
        let help = "a learned reward is wrong far from its data: add `kl(weight = -0.05, to = from)` to the reward (AFM has both)";
        problems.push(Problem::warning("LLMP0617", "update", message).help(help));
    }
    problems
}

/// Verifiers read columns that the prompts have, where it is known which they are.
fn check_truths(view: &View<'_>) -> Vec<Problem> {
    let columns = view.get("prompts").and_then(|prompts| post::columns_of(view, prompts));
    let Some(columns) = columns else { return Vec::new() };
    let mut problems = Vec::new();
    for (path, value) in terms(view) {
        let Value::Call(call) = value else { continue };
        if Verifier::FAMILY.get(&call.name).is_none() {
            continue;
        }
        for name in ["truth", "tests"] {
            let Some(Value::Text(column)) = call.args.get(name) else { continue };
            if columns.contains(column) {
                continue;
            }
            let message = format!("`{}` reads `.{column}`, which the prompts lack", call.name);
            let problem = Problem::error("LLMP0105", &format!("{path}.{name}"), message);
            problems.push(match llmp_stdlib::nearest(column, columns.iter().map(String::as_str)) {
                Some(near) => problem.help(format!("did you mean `.{near}`?")),
                None => problem.help(format!("their columns are {}", columns.join(", "))),
            });
        }
    }
    problems
}

/// A reward model that cuts text into other tokens than the policy.
pub(super) fn other_tokenizer(view: &View<'_>, path: &str, judge: &View<'_>) -> Option<Problem> {
    let (own, its) = (post::tokenizer(&view.follow("from")?)?, post::tokenizer(judge)?);
    if own == its {
        return None;
    }
    let message =
        format!("the reward model `{}` reads the tokens of `{its}`, the policy those of `{own}`", judge.name);
    let help =
        "its scores are those of text that is tokenised again; rewards of single tokens are not possible";
    Some(Problem::warning("LLMP0504", path, message).help(help))
}

fn elaborate(view: &View<'_>, planner: &mut dyn Planner) -> Result<Output, Problem> {
    let prompts = post::parts(view, "prompts", planner)?;
    let mut tokenizers = Vec::new();
    for (path, value) in terms(view) {
        let judge = match value {
            Value::Call(call) => call.args.get("of"),
            one => Some(one),
        };
        let Some(Value::Item(judge)) = judge else { continue };
        let Output::Model { tokenizer: Some(tokenizer), .. } = planner.item(judge)? else {
            let message = format!("`{}` is no reward model with a tokenizer", judge.item);
            return Err(Problem::error("LLMP0201", &path, message));
        };
        tokenizers.push(Value::Port(tokenizer));
    }
    let reward = view.members.get("reward").cloned().unwrap_or(Value::None);
    let reward = super::ported(&reward, "reward", planner)?;
    let own = [("prompts", prompts), ("reward", reward), ("judge_tokenizers", Value::List(tokenizers))];
    post::stage(view, planner, &own, &[])
}
