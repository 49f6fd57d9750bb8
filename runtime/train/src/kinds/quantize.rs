//! `quantize name { … }`: stores the weights of a model in few bits, and trains an adapter that makes up for it.

use llmp_nn::spec::{Architecture, Role};
use llmp_stdlib::arg::{ModelRef, Tokens, TrainingData};
use llmp_stdlib::kind::Cost;
use llmp_stdlib::{Form, Kind, Output, Planner, Problem, Record, Settings, Value, View, Yields};

use super::chain::{self, Known};
use super::decoder::field;
use super::{schedule, training};
use crate::course::{Batch, Context};
use crate::optimizers::Optimizer;
use crate::schedules::Schedule;
use crate::settings::{Accumulate, Attention, Precision};
use crate::stage::input;

llmp_stdlib::def! {
    /// Each row is stored as whole numbers with one scale.
    LinearBits = "linear", rev 1, check check_linear {
        /// Bits of a weight.
        bits: u64 = "8",
    }
}

fn check_linear(it: &LinearBits) -> Vec<Problem> {
    bits("bits", it.bits)
}

llmp_stdlib::def! {
    /// Groups of rows or columns share one table of values found by k-means; a weight is its place in the table
    /// (AFM: 16 columns, 16 values, some layers with 4).
    Palette = "palette", rev 1, check check_palette {
        /// Bits of a place in the table.
        bits: u64 = "4",
        /// Rows or columns that share a table.
        group: u64 = "16",
        /// Mean bits of a weight, reached by 2 bits in the layers that bear it; without it all layers have `bits`.
        average: Option<f64> = "none",
    }
}

fn check_palette(it: &Palette) -> Vec<Problem> {
    let mut problems = bits("bits", it.bits);
    if it.group == 0 {
        problems.push(Problem::error("LLMP0209", "group", "a table belongs to at least one row"));
    }
    if let Some(average) = it.average.filter(|a| !(2.0..=it.bits as f64).contains(a)) {
        let message = format!("a mean of {average} bits lies outside 2 to {}", it.bits);
        problems.push(Problem::error("LLMP0209", "average", message));
    }
    problems
}

fn bits(name: &str, bits: u64) -> Vec<Problem> {
    let problem = || Problem::error("LLMP0209", name, format!("a weight has 1 to 16 bits, not {bits}"));
    (!(1..=16).contains(&bits)).then(problem).into_iter().collect()
}

llmp_stdlib::family! {
    /// How weights are stored.
    QuantizeMethod = "quantization" { LinearBits, Palette }
}

llmp_stdlib::def! {
    /// A low-rank addition to every matrix, in 16 bits, trained on frozen quantised weights (AFM: rank 16).
    RecoveryLora = "lora", rev 1, check check_lora {
        /// Rank of the addition.
        rank: u64 = "16",
        /// Its scale is `alpha / rank`. `none`: the rank.
        alpha: Option<f64> = "none",
    }
}

fn check_lora(it: &RecoveryLora) -> Vec<Problem> {
    let problem = || Problem::error("LLMP0209", "rank", "the rank is at least 1");
    (it.rank == 0).then(problem).into_iter().collect()
}

llmp_stdlib::family! {
    /// What makes up for lost accuracy.
    Recovery = "recovery" { RecoveryLora }
}

llmp_stdlib::def! {
    /// Rounds the weights of a model to values that few bits can name. With `recover` an adapter is then trained on `data`
    /// with the loss of pre-training, the rounded weights frozen; the result is their sum, and the adapter lies beside it
    /// as a PEFT folder, `adapter`. The model that it belongs to is what the same item gives without `recover`.
    ///
    /// The result holds the rounded values as floats, so that every stage and evaluation reads it like another model;
    /// gains, biases and routers are kept as they are. A file of few bits is what `release` writes with
    /// `format = gguf(q4_0)`.
    ///
    /// ```llmp
    /// quantize small { from = device, method = palette(bits = 4, average = 3.7), recover = lora(rank = 16), data = mixed, tokens = 10B }
    /// ```
    Quantize = "quantize", rev 1 {
        /// The trained model.
        from: ModelRef,
        /// How weights are stored.
        method: QuantizeMethod = "palette()",
        /// Bits of the embedding, one scale a row.
        embedding_bits: u64 = "8",
        /// What makes up for lost accuracy.
        recover: Option<Recovery> = "none",
        /// Documents, or a mixture of them, that the adapter is trained on.
        data: Option<TrainingData> = "none",
        /// Tokens that the adapter is trained on.
        tokens: Option<Tokens> = "none",
        /// Tokens of a training sequence; without it those of the model.
        @binary context: Option<Context> = "none",
        /// Size of a batch, as in `pretrain`.
        batch: Option<Batch> = "none",
        /// How gradients change the adapter.
        optimizer: Optimizer = "adamw()",
        /// The learning rate, as in `pretrain`.
        schedule: Option<Schedule> = "none",
        /// Number format of matrix products.
        precision: Precision = "f32",
        /// What a token sees of its row.
        attention: Attention = "per_document",
        /// Micro-batches of a batch.
        accumulate: Accumulate = "auto",
        /// Seed of the adapter and of the order of documents.
        seed: u64 = "0",
    }
}

/// The kind.
pub(super) static KIND: Kind = Kind {
    fields: chain::FIELDS,
    check,
    lacks: |view| if view.get("recover").is_some() { training::lacks(view) } else { Vec::new() },
    cost: |view| {
        view.get("recover")?;
        let known = Known::of(view)?;
        let sizes = known.counted()?;
        let mut cost = training::cost_of(view, sizes)?;
        let (Some(Recovery::RecoveryLora(lora)), Some(optimizer)) =
            (view.read("recover"), view.read::<Optimizer>("optimizer"))
        else {
            return None;
        };
        // The optimizer keeps numbers of the adapter alone; the weights beneath it are held besides their sum.
        let shares = adapter_share(sizes, lora.rank);
        let state = (optimizer.state_bytes(sizes) as f64 * shares) as u64;
        let beneath = 4 * sizes.parameters();
        cost.memory_bytes = cost
            .memory_bytes
            .saturating_sub(cost.optimizer_bytes)
            .saturating_add(state)
            .saturating_add(beneath);
        cost.weight_bytes = cost.weight_bytes.saturating_add(beneath);
        cost.optimizer_bytes = state;
        Some(Cost::Stage(cost))
    },
    ..Kind::new(Quantize::SIGNATURE, Form::Block, Yields::Model, elaborate)
};

fn check(view: &View<'_>) -> Vec<Problem> {
    let mut problems: Vec<Problem> = super::check_weights(view, "from").into_iter().collect();
    let recovers = view.get("recover").is_some();
    for member in ["data", "tokens"] {
        if recovers && view.members.get(member) == Some(&Value::None) {
            let message = format!("an adapter is trained: `{member}` is missing");
            problems.push(Problem::error("LLMP0103", "recover", message));
        }
    }
    if view.read::<u64>("embedding_bits").is_some_and(|n| !(1..=16).contains(&n)) {
        problems.push(Problem::error("LLMP0209", "embedding_bits", "an embedding has 1 to 16 bits"));
    }
    if recovers {
        problems.extend(training::check_length(view));
        problems.extend(schedule::check(view));
    }
    problems
}

/// Numbers of an adapter on all matrices, as a share of the model's parameters.
fn adapter_share(sizes: &Architecture, rank: u64) -> f64 {
    let matrices = sizes.tensors().into_iter().filter(|t| t.role == Role::Matrix);
    let numbers = matrices.map(|t| sizes.copies(&t) * rank * t.shape.iter().map(|n| *n as u64).sum::<u64>());
    numbers.sum::<u64>() as f64 / sizes.parameters().max(1) as f64
}

/// Arguments of the step `quantize`, typed.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantizing {
    /// Index of the input that is the model folder.
    pub from: usize,
    /// How matrices are stored.
    pub method: QuantizeMethod,
    /// Bits of the embedding and of a head of its own.
    pub embedding_bits: u64,
    /// What makes up for lost accuracy.
    pub recover: Option<Recovery>,
}

impl Quantizing {
    /// The operation's name in a plan.
    pub const OP: &'static str = Quantize::SIGNATURE.name;

    /// Reads the arguments of a plan step. Errors: words that name the argument.
    pub fn from_args(args: &Record) -> Result<Quantizing, String> {
        Ok(Quantizing {
            from: input(args, "from")?,
            method: field(args, "method")?,
            embedding_bits: field(args, "embedding_bits")?,
            recover: if args.contains_key("recover") { field(args, "recover")? } else { None },
        })
    }
}

fn elaborate(view: &View<'_>, planner: &mut dyn Planner) -> Result<Output, Problem> {
    let recovers = view.get("recover").is_some();
    let (mut args, spec, tokenizer) = if recovers {
        let begun = training::begin(view, planner)?;
        (begun.args, begun.spec, Some(begun.tokenizer))
    } else {
        let Output::Model { spec, tokenizer, weights: Some(weights) } = super::model(view, "from", planner)?
        else {
            return Err(Problem::error("LLMP0201", "from", "this model has no weights"));
        };
        (Record::from_iter([("from".to_owned(), Value::Port(weights))]), spec, tokenizer)
    };
    for name in ["method", "embedding_bits", "recover"] {
        args.insert(name.into(), view.members.get(name).cloned().unwrap_or(Value::None));
    }
    let weights = planner.step(Quantize::SIGNATURE.name, Quantize::SIGNATURE.rev, args);
    Ok(Output::Model { spec: training::result(view, spec), tokenizer, weights: Some(weights) })
}
