//! A training stage as the plan hands it over: the arguments of the step `pretrain`.

use llmp_data::pack::Packing;
use llmp_stdlib::unit::{Dim, Quantity};
use llmp_stdlib::{Arg, Rational, Record, Value};

use crate::budget::Goal;
use crate::course::{Batch, Context, Course};
use crate::kinds::Measured;
use crate::kinds::decoder::{Decoder, field};
use crate::optimizers::Optimizer;
use crate::schedules::Schedule;
use crate::settings::{Accumulate, Attention, Clip, OnSpike, Precision, Publish, Recompute, Times};

/// The operation's name in a plan.
pub const OP: &str = "pretrain";

/// Revision of the operation: raised when equal input gives other weights.
pub const REV: u32 = 1;

/// One source of training tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// Index of the input that is its token shard.
    pub input: usize,
    /// Share of the consumed tokens.
    pub share: f64,
    /// Most passes over it (a part of a pass counts as a whole one).
    pub max_epochs: Option<u64>,
    /// What messages call it; empty: by its place.
    pub name: String,
    /// Its share from some number of tokens on; all sources change at the same places.
    pub then: Vec<(u64, f64)>,
}

/// Arguments of the step, typed.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// Sizes of the model.
    pub model: Decoder,
    /// Index of the input whose weights it goes on from.
    pub from: Option<usize>,
    /// Index of the input that is the tokenizer.
    pub tokenizer: usize,
    /// Token shards with their shares.
    pub sources: Vec<Source>,
    /// Length.
    pub goal: Goal,
    /// Tokens of a sequence, or how they grow.
    pub context: Context,
    /// Size of a batch, or a ramp; without it the default of [`crate::budget::default_batch`].
    pub batch: Option<Batch>,
    /// How gradients change the weights.
    pub optimizer: Optimizer,
    /// The learning rate.
    pub schedule: Schedule,
    /// Steps of the schedule that earlier stages have done.
    pub schedule_done: u64,
    /// How gradients are kept short.
    pub clip: Option<Clip>,
    /// Weight of the penalty on the squared log of the softmax's denominator.
    pub z_loss: f64,
    /// What a token sees of its row.
    pub attention: Attention,
    /// How documents become rows.
    pub packing: Packing,
    /// Number format of matrix products.
    pub precision: Precision,
    /// What is computed again in the backward pass.
    pub recompute: Option<Recompute>,
    /// Micro-batches of a batch.
    pub accumulate: Accumulate,
    /// Which weights the stage gives.
    pub publish: Publish,
    /// Longest distance between two checkpoints.
    pub checkpoints: Times,
    /// Checkpoints that are kept.
    pub keep: usize,
    /// Seed of initial weights and order.
    pub seed: u64,
    /// When held-out documents are scored.
    pub evaluate: Option<Times>,
    /// What is scored then.
    pub measure: Vec<Measured>,
    /// When the model writes a text.
    pub sample: Option<Times>,
    /// What happens when the loss jumps.
    pub on_spike: Option<OnSpike>,
    /// Another stream of the same seed.
    pub replicate: u64,
}

/// Arguments that decide which rows a stage draws.
pub(crate) const ROWS: &[&str] = &[
    "tokenizer",
    "parts",
    "length",
    "context",
    "batch",
    "attention",
    "packing",
    "accumulate",
    "seed",
    "replicate",
];

impl Stage {
    /// A stage of which only the rows matter: the arguments of [`ROWS`], all others being neutral.
    pub fn of_rows(args: &Record) -> Result<Stage, String> {
        let neutral = [
            ("optimizer", "sgd(momentum = 0, nesterov = false, weight_decay = 0)"),
            ("schedule", "constant(peak = 1, warmup = 0%)"),
            ("clip", "none"),
            ("checkpoints", "every(distance = 1 steps)"),
            ("keep", "1"),
        ];
        let mut all = args.clone();
        for (name, text) in neutral {
            let value = llmp_stdlib::literal::parse(text).map_err(|e| format!("`{name}`: {e}"))?;
            all.insert(name.to_owned(), value);
        }
        let spec = llmp_nn::Architecture::default();
        all.insert("model".to_owned(), Value::Record(Decoder { spec }.to_record()));
        Stage::from_args(&all)
    }

    /// Reads the arguments of a plan step. Errors: words that name the argument.
    pub fn from_args(args: &Record) -> Result<Stage, String> {
        let model = match args.get("model") {
            Some(Value::Record(record)) => Decoder::from_record(record)?,
            _ => return Err("`model` is missing".to_owned()),
        };
        let Some(Value::List(parts)) = args.get("parts") else { return Err("`parts` is missing".to_owned()) };
        Ok(Stage {
            model,
            from: optional_input(args, "from")?,
            tokenizer: input(args, "tokenizer")?,
            sources: parts.iter().map(source).collect::<Result<_, _>>()?,
            goal: read_length(args.get("length"))?,
            context: field(args, "context")?,
            batch: field(args, "batch")?,
            optimizer: field(args, "optimizer")?,
            schedule: field(args, "schedule")?,
            schedule_done: if args.contains_key("schedule_done") { field(args, "schedule_done")? } else { 0 },
            clip: field(args, "clip")?,
            z_loss: if args.contains_key("z_loss") { field(args, "z_loss")? } else { 0.0 },
            attention: field(args, "attention")?,
            packing: if args.contains_key("packing") { field(args, "packing")? } else { Packing::Concat },
            precision: if args.contains_key("precision") {
                field(args, "precision")?
            } else {
                Precision::F32
            },
            recompute: if args.contains_key("recompute") { field(args, "recompute")? } else { None },
            accumulate: field(args, "accumulate")?,
            publish: if args.contains_key("publish") { field(args, "publish")? } else { Publish::Last },
            checkpoints: field(args, "checkpoints")?,
            keep: field(args, "keep")?,
            seed: field(args, "seed")?,
            evaluate: if args.contains_key("evaluate") { field(args, "evaluate")? } else { None },
            measure: match args.get("measure") {
                Some(Value::List(all)) => all.iter().map(Measured::read).collect::<Result<_, _>>()?,
                _ => Vec::new(),
            },
            sample: if args.contains_key("sample") { field(args, "sample")? } else { None },
            on_spike: if args.contains_key("on_spike") { field(args, "on_spike")? } else { None },
            replicate: field(args, "replicate")?,
        })
    }

    /// The stage in sequences and steps; `available` is the number of tokens of its first source.
    pub fn course(&self, available: u64) -> Option<Course> {
        Course::new(self.goal, self.batch.as_ref(), &self.context, Some(available))
    }

    /// The seed of a random role (`init`, `order`): project seed, role and replicate together.
    pub fn stream(&self, role: &str) -> u64 {
        // FNV-1a: any fixed mixing of the three will do, the streams themselves are ChaCha and xxh3.
        let mut hash = 0xcbf2_9ce4_8422_2325u64;
        let numbers = self.seed.to_le_bytes().into_iter().chain(self.replicate.to_le_bytes());
        for byte in numbers.chain(role.bytes()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        hash
    }
}

/// A stage's length as a value.
pub(crate) fn length(goal: Goal) -> Value {
    let number = |amount: Rational, dim| Value::Number(Quantity::new(amount, dim));
    match goal {
        Goal::Tokens(tokens) => number(Rational::from(i128::from(tokens)), Dim::TOKENS),
        Goal::Steps(steps) => number(Rational::from(i128::from(steps)), Dim::STEPS),
        Goal::Epochs(epochs) => match crate::kinds::decoder::real(epochs) {
            Value::Number(q) => number(q.amount, Dim::EPOCHS),
            other => other,
        },
    }
}

/// A batch in sequences as a value.
pub(crate) fn sequences(rows: u64) -> Value {
    Value::Number(Quantity::new(Rational::from(i128::from(rows)), Dim::SEQUENCES))
}

fn read_length(value: Option<&Value>) -> Result<Goal, String> {
    use llmp_stdlib::arg::Length;
    match value.map(Length::read) {
        Some(Ok(Length::Tokens(tokens))) => Ok(Goal::Tokens(tokens)),
        Some(Ok(Length::Steps(steps))) => Ok(Goal::Steps(steps)),
        Some(Ok(Length::Epochs(epochs))) => Ok(Goal::Epochs(epochs)),
        _ => Err("`length` is not a number of tokens, steps or epochs".to_owned()),
    }
}

fn source(value: &Value) -> Result<Source, String> {
    let Value::Record(record) = value else { return Err("a part is not a record".to_owned()) };
    let max_epochs = field::<Option<f64>>(record, "max_epochs")?.map(|m| m.ceil() as u64);
    let then = match record.get("then") {
        Some(Value::List(changes)) => changes.iter().map(change).collect::<Result<_, _>>()?,
        _ => Vec::new(),
    };
    Ok(Source {
        input: input(record, "tokens")?,
        share: field(record, "share")?,
        max_epochs,
        then,
        name: String::new(),
    })
}

fn change(value: &Value) -> Result<(u64, f64), String> {
    let Value::Record(record) = value else { return Err("a later share is not a record".to_owned()) };
    Ok((field(record, "after")?, field(record, "share")?))
}

/// The index of an argument that is an input of the step.
pub(crate) fn input(record: &Record, name: &str) -> Result<usize, String> {
    optional_input(record, name)?.ok_or_else(|| format!("`{name}` is missing"))
}

/// The index of a value that is an input of the step.
pub(crate) fn input_of(name: &str, value: &Value) -> Result<usize, String> {
    if let Value::Input(index) = value {
        Ok(*index)
    } else {
        Err(format!("`{name}` is not an input: {value}"))
    }
}

fn optional_input(record: &Record, name: &str) -> Result<Option<usize>, String> {
    match record.get(name) {
        Some(Value::Input(index)) => Ok(Some(*index)),
        None | Some(Value::None) => Ok(None),
        Some(other) => Err(format!("`{name}` is not an input: {other}")),
    }
}
