//! `distill name { … }`: trains a model on what a teacher predicts.

use llmp_nn::kinds::Position;
use llmp_stdlib::arg::{ModelRef, Tokens, TrainingData};
use llmp_stdlib::kind::{Cost, Group};
use llmp_stdlib::{
    Arg, Form, ItemRef, Kind, Output, Planner, Problem, Record, Settings, Ty, Value, View, Yields,
};

use super::chain::{self, Known};
use super::{schedule, training};
use crate::course::{Batch, Context, spaced};
use crate::optimizers::Optimizer;
use crate::schedules::Schedule;
use crate::settings::{
    Accumulate, Attention, Epochs, Flops, OnSpike, Precision, Publish, Recompute, Steps, Times,
};
use crate::stage::ROWS;
use crate::suites::Suite;

llmp_stdlib::def! {
    /// What teachers say is computed once, kept in the store, and read by every student that draws the same rows: one with
    /// the same data, length, batches and seed, whatever its sizes, optimizer and rate. Training is the same byte for
    /// byte.
    ///
    /// Kept are the tokens that the loss asks for, or with `full` the last states of the teachers: four bytes for every
    /// number of their width.
    ///
    /// ```llmp
    /// teacher = stored(large)
    /// ```
    Stored = "stored", rev 1 {
        /// The teachers; of several the mean is taken.
        @many teachers: Vec<ModelRef>,
    }
}

llmp_stdlib::def! {
    /// Several teachers, each for the documents whose column has its name as value.
    @planned Routed = "routed", rev 1 {
        /// The teachers.
        teachers: Vec<ModelRef>,
        /// Column that names the teacher's place in the list, from 0.
        by: String,
    }
}

llmp_stdlib::family! {
    /// Where targets come from, besides one model.
    TeacherPlan = "teacher plan" { Routed, Stored }
}

/// A model, several of which the mean is taken, or a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Teacher(pub Value);

impl Arg for Teacher {
    const TY: Ty = Ty::OneOf(&[ModelRef::TY, <Vec<ModelRef> as Arg>::TY, TeacherPlan::TY]);
    fn read(value: &Value) -> Result<Self, String> {
        Ok(Teacher(value.clone()))
    }
}

llmp_stdlib::choices! {
    /// How two distributions are compared.
    Divergence = "divergence" {
        /// `KL(teacher || student)`: the student covers what the teacher does.
        Forward = "forward_kl",
        /// `KL(student || teacher)`: the student stays within what the teacher does (MiniLLM).
        Reverse = "reverse_kl",
        /// Half way between them (GKD).
        Jsd = "jsd",
    }
}

llmp_stdlib::def! {
    /// Divergence from the whole distribution of the teacher, or from the mean of several: the gradient of the
    /// cross-entropy to it (Gemma 2). It is multiplied by the square of the temperature, so that gradients keep their size.
    Full = "full", rev 1, check check_full {
        /// Both distributions are softened by it.
        temperature: f64 = "1",
    }
}

fn check_full(it: &Full) -> Vec<Problem> {
    positive("temperature", it.temperature)
}

fn positive(name: &str, value: f64) -> Vec<Problem> {
    let problem = || Problem::error("LLMP0209", name, format!("`{name}` must be above 0, not {value}"));
    (value <= 0.0).then(problem).into_iter().collect()
}

llmp_stdlib::def! {
    /// The student writes, and the teacher says at every token what it would have written (GKD, MiniLLM). Only what the
    /// student wrote counts, and no gradient goes through its choice of tokens.
    ///
    /// Whole documents of the data are prompts, each of a row of its own, which the student writes on to its end-of-text
    /// token; with `prompt` it writes on every row from that share of it.
    OnPolicy = "on_policy", rev 1, check check_on_policy {
        /// How the two distributions are compared.
        divergence: Divergence = "reverse_kl",
        /// Share of the sequences that the student writes; the others are those of the data.
        student_share: f64 = "100%",
        /// Softness with which the student writes.
        temperature: f64 = "1",
        /// Share of a row that stands before what the student writes; without it documents are prompts.
        prompt: Option<f64> = "none",
    }
}

fn check_on_policy(it: &OnPolicy) -> Vec<Problem> {
    let mut problems = positive("temperature", it.temperature);
    if !(0.0..=1.0).contains(&it.student_share) {
        let message = "a share lies between 0% and 100%";
        problems.push(Problem::error("LLMP0209", "student_share", message));
    }
    if it.prompt.is_some_and(|share| !(0.0..1.0).contains(&share)) {
        let message = "a prompt is a share of a row, below 100%";
        problems.push(Problem::error("LLMP0209", "prompt", message));
    }
    problems
}

llmp_stdlib::def! {
    /// Divergence from the tokens that are drawn from the teacher's distribution, renormalised on them (Gemma 3).
    Sampled = "sampled", rev 1 {
        /// Tokens drawn at every position.
        n: u64 = "256",
    }
}

llmp_stdlib::def! {
    /// Cross-entropy to the token that the teacher finds likeliest, beside the true one (AFM).
    Top1 = "top1", rev 1, check check_top1 {
        /// Weight of the teacher's token.
        teacher: f64 = "90%",
        /// Weight of the true one.
        truth: f64 = "10%",
    }
}

fn check_top1(it: &Top1) -> Vec<Problem> {
    let sum = it.teacher + it.truth;
    if (sum - 1.0).abs() < 1e-9 && it.teacher >= 0.0 && it.truth >= 0.0 {
        return Vec::new();
    }
    let message = format!("the weights add up to {:.4}%, not 100%", 100.0 * sum);
    let rest = format!("{}%", 100.0 - 100.0 * it.teacher);
    vec![Problem::error("LLMP0209", "truth", message).fix(format!("give the truth {rest}"), "truth", rest)]
}

llmp_stdlib::family! {
    /// What the student minimises.
    DistillLoss = "distillation loss" { Full, OnPolicy, Sampled, Top1 }
}

llmp_stdlib::def! {
    /// Trains a model on what a teacher predicts, from scratch (`model`) or from weights (`from`). Both must have one
    /// tokenizer: the loss compares their tokens.
    ///
    /// ```llmp
    /// distill small_9b { model = gemma_9b, teacher = large, data = web, tokens = 8T, loss = full() }
    /// ```
    Distill = "distill", rev 1 {
        /// The description of the model to train from scratch.
        model: Option<ModelRef> = "none",
        /// The stage (or model with weights) to go on from.
        from: Option<ModelRef> = "none",
        /// Whose predictions are learnt.
        teacher: Teacher,
        /// What is minimised.
        loss: DistillLoss = "full()",
        /// Documents, or a mixture of them.
        data: TrainingData,
        /// Length of the stage in tokens consumed.
        tokens: Option<Tokens> = "none",
        /// Length of the stage in optimizer steps.
        steps: Option<Steps> = "none",
        /// Length of the stage in passes over its documents; not for a mixture.
        epochs: Option<Epochs> = "none",
        /// Length of the stage in floating-point operations of the student.
        flops: Option<Flops> = "none",
        /// Tokens of a training sequence, as in `pretrain`.
        @binary context: Option<Context> = "none",
        /// Size of a batch, as in `pretrain`.
        batch: Option<Batch> = "none",
        /// How gradients change the weights.
        optimizer: Optimizer = "adamw()",
        /// The learning rate, as in `pretrain`.
        schedule: Option<Schedule> = "none",
        /// Largest norm of the gradient over all parameters. `none`: no limit.
        clip: Option<f64> = "1.0",
        /// Number format of matrix products.
        precision: Precision = "f32",
        /// What a token sees of its row.
        attention: Attention = "per_document",
        /// Weight of the penalty on the squared log of the softmax's denominator, as in `pretrain`.
        z_loss: f64 = "0",
        /// Micro-batches of a batch.
        accumulate: Accumulate = "auto",
        /// What is computed again in the backward pass to save memory.
        recompute: Option<Recompute> = "none",
        /// The longest time or distance between two checkpoints.
        checkpoints: Times = "every(5 min)",
        /// Checkpoints that are kept while the stage runs.
        keep: u64 = "2",
        /// When what `measure` names is measured during the stage, as in `pretrain`.
        evaluate: Option<Times> = "none",
        /// What `evaluate` measures, as in `pretrain`.
        measure: Vec<Suite> = "[]",
        /// When the model writes a text during the stage, as in `pretrain`.
        sample: Option<Times> = "none",
        /// Which weights the stage gives.
        publish: Publish = "last",
        /// What happens when the loss jumps.
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
    ..Kind::new(Distill::SIGNATURE, Form::Block, Yields::Model, elaborate)
};

/// The models that a teacher names.
fn models(teacher: &Value) -> Vec<&ItemRef> {
    match teacher {
        Value::Item(item) => vec![item],
        Value::List(list) => list.iter().filter_map(super::item_name).collect(),
        Value::Call(call) => call.args.get("teachers").map(models).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// The items that teach.
fn teachers<'a>(view: &View<'a>) -> Vec<View<'a>> {
    let items = view.get("teacher").map(models).unwrap_or_default();
    items.into_iter().filter_map(|item| view.program.view(&item.item)).collect()
}

/// The list of teachers whose words are stored.
fn stored(teacher: &Value) -> Option<&Value> {
    let Value::Call(call) = teacher else { return None };
    call.args.get("teachers").filter(|_| call.name == Stored::SIGNATURE.name)
}

/// What is kept of what teachers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Says {
    /// Their last states, from which their heads predict.
    pub states: bool,
    /// So many of the likeliest tokens.
    pub likeliest: u64,
    /// The tokens that so many draws meet.
    pub drawn: u64,
}

impl Says {
    /// What a loss needs; of what the student will write nothing can be known.
    fn of(loss: &DistillLoss) -> Option<Says> {
        let (states, likeliest, drawn) = match loss {
            DistillLoss::Full(_) => (true, 0, 0),
            DistillLoss::Top1(_) => (false, 1, 0),
            DistillLoss::Sampled(sampled) => (false, 0, sampled.n),
            DistillLoss::OnPolicy(_) => return None,
        };
        Some(Says { states, likeliest, drawn })
    }

    fn value(self) -> Value {
        let number = |n: u64| Value::number(i128::from(n));
        let fields = [
            ("states", Value::Bool(self.states)),
            ("likeliest", number(self.likeliest)),
            ("drawn", number(self.drawn)),
        ];
        Value::Record(fields.map(|(name, value)| (name.to_owned(), value)).into())
    }
}

fn check(view: &View<'_>) -> Vec<Problem> {
    let mut problems: Vec<Problem> = super::check_weights(view, "from").into_iter().collect();
    problems.extend(training::check_length(view));
    problems.extend(schedule::check(view));
    problems.extend(schedule::check_order(view));
    if matches!(view.get("teacher"), Some(Value::List(all)) if all.is_empty()) {
        problems.push(Problem::error("LLMP0209", "teacher", "at least one model teaches"));
    }
    let on_policy = matches!(view.read::<DistillLoss>("loss"), Some(DistillLoss::OnPolicy(_)));
    if let Some(teachers) = view.get("teacher").and_then(stored).filter(|_| on_policy) {
        let message =
            "what the student will write is not known before it trains: nothing of it can be stored";
        let problem =
            Problem::error("LLMP0202", "teacher", message).label("loss", "on what the student writes");
        let teachers = if let Value::List(list) = teachers { list.as_slice() } else { &[] };
        problems.push(match teachers {
            [one] => problem.fix("let it teach as it is", "teacher", one.to_string()),
            _ => problem.help("name the teachers without `stored`"),
        });
    }
    problems.extend(teachers(view).iter().filter_map(|teacher| check_teacher(view, teacher)));
    problems
}

fn check_teacher(view: &View<'_>, teacher: &View<'_>) -> Option<Problem> {
    if teacher.kind.signature.name == "model" && teacher.value.is_none() {
        let message = format!("`{}` describes a model; it has nothing to teach yet", teacher.name);
        return Some(Problem::error("LLMP0201", "teacher", message).help("name the stage that trains it"));
    }
    let student = chain::source(view)?;
    let place = if view.get("model").is_some() { "model" } else { "from" };
    if chain::same_tokenizer(&student, teacher) == Some(false) {
        let (ours, theirs) = chain::tokenizer_names(&student, teacher);
        let message = format!(
            "the teacher `{}` reads tokens of `{theirs}`, the student tokens of `{ours}`: their predictions cannot be compared",
            teacher.name
        );
        let help =
            "train a teacher with the student's tokenizer, or let the teacher write text for `pretrain`";
        let problem = Problem::error("LLMP0505", "teacher", message);
        return Some(problem.label(place, format!("tokenizer `{ours}`")).help(help));
    }
    let vocab = |v: &View<'_>| Some(Known::of(v)?.counted()?.vocab);
    let (ours, theirs) = (vocab(&student)?, vocab(teacher)?);
    if ours == theirs {
        return None;
    }
    let (ours, theirs) = (spaced(ours as u64), spaced(theirs as u64));
    let message = format!("the teacher predicts {theirs} tokens, the student {ours}");
    let problem = Problem::error("LLMP0505", "teacher", message).label(place, format!("vocab {ours}"));
    Some(problem.help("give both models one `vocab`; ids above the tokenizer's are never met"))
}

fn cost(view: &View<'_>) -> Option<Cost> {
    let known = Known::of(view)?;
    let mut cost = training::cost_of(view, known.counted()?)?;
    if let Some(DistillLoss::OnPolicy(how)) = view.read("loss") {
        // A student writes a token at the price of reading it.
        cost.flops += how.student_share * training::forward_flops(view, known.counted()?)?;
    }
    for teacher in teachers(view) {
        let known = Known::of(&teacher)?;
        let sizes = known.counted()?;
        cost.flops += training::forward_flops(view, sizes)?;
        let bf16 = view.read::<Precision>("precision") == Some(Precision::Bf16);
        cost.memory_bytes = cost.memory_bytes.saturating_add(sizes.parameters() * if bf16 { 2 } else { 4 });
    }
    Some(Cost::Stage(cost))
}

fn elaborate(view: &View<'_>, planner: &mut dyn Planner) -> Result<Output, Problem> {
    let mut begun = training::begin(view, planner)?;
    let teacher = view.get("teacher").ok_or_else(|| Problem::error("LLMP0103", "teacher", "no teacher"))?;
    let theirs = tokenizers(teacher, planner)?;
    let unlike: Vec<Value> = theirs.into_iter().filter(|t| *t != begun.tokenizer).map(Value::Port).collect();
    let mut asked = Record::new();
    asked.insert("teacher".into(), super::ported(stored(teacher).unwrap_or(teacher), "teacher", planner)?);
    if !unlike.is_empty() {
        asked.insert("teacher_tokenizers".into(), Value::List(unlike));
    }
    let says = view.read::<DistillLoss>("loss").and_then(|loss| Says::of(&loss));
    match says.filter(|_| stored(teacher).is_some()) {
        None => begun.args.extend(asked),
        Some(says) => {
            if says.states {
                begun.args.insert("teacher".into(), asked["teacher"].clone());
            }
            asked.insert("says".into(), says.value());
            let rows = ROWS.iter().filter_map(|n| Some(((*n).to_owned(), begun.args.get(*n)?.clone())));
            asked.extend(rows);
            begun.args.insert("stored".into(), Value::Port(planner.step("teach", 1, asked)));
        }
    }
    begun.args.insert("loss".into(), view.members.get("loss").cloned().unwrap_or(Value::None));
    let weights = planner.step(Distill::SIGNATURE.name, Distill::SIGNATURE.rev, begun.args);
    let spec = training::result(view, begun.spec);
    Ok(Output::Model { spec, tokenizer: Some(begun.tokenizer), weights: Some(weights) })
}

/// Tokenizers of the models that teach; those of other teachers are not known.
fn tokenizers(teacher: &Value, planner: &mut dyn Planner) -> Result<Vec<llmp_stdlib::Port>, Problem> {
    let mut found = Vec::new();
    for item in models(teacher) {
        if let Output::Model { tokenizer, .. } = planner.item(item)? {
            found.extend(tokenizer);
        }
    }
    Ok(found)
}
