//! `model name { … }`: a decoder, described.

use llmp_stdlib::arg::{ModelRef, TokenizerRef};
use llmp_stdlib::kind::{Cost, Field};
use llmp_stdlib::{
    Arg, Call, Form, Kind, ModelCost, Output, Planner, Port, Problem, Rational, Record, Settings, Value,
    View, Yields,
};

use super::families::*;
use super::{check, sizes};
use crate::spec::Architecture;

llmp_stdlib::def! {
    /// Describes a decoder: its tokenizer and its sizes. A stage that starts from it gives it initial weights.
    ///
    /// ```llmp
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model small {
    ///   tokenizer = tok
    ///   layers    = 4
    ///   width     = 192
    ///   heads     = 6
    ///   kv_heads  = 2
    ///   context   = 256
    ///   embedding = tied
    /// }
    /// ```
    ModelKind = "model", rev 1 {
        /// Turns text into the ids that the model reads.
        tokenizer: TokenizerRef,
        /// Blocks.
        layers: usize,
        /// Width of the residual stream.
        width: usize,
        /// Query heads.
        heads: usize,
        /// Key and value heads; they divide `heads`. `none`: as many as `heads`.
        kv_heads: Option<usize> = "none",
        /// Width of a head. `none`: `width / heads`.
        @binary head_dim: Option<usize> = "none",
        /// The feed-forward.
        ffn: Ffn = "swiglu()",
        /// The norm.
        norm: Norm = "rms()",
        /// Where norms stand.
        norm_place: NormPlace = "pre",
        /// How the model knows the order of tokens.
        position: Option<Position> = "rope()",
        /// Biases on queries, keys and values.
        qkv_bias: bool = "false",
        /// Biases on all matrices of the blocks (GPT-2).
        bias: bool = "false",
        /// A norm on queries and keys, for each head, with a learned gain.
        qk_norm: Option<Norm> = "none",
        /// Whether that norm stands before or after the rotary positions.
        qk_norm_place: QkPlace = "before_rope",
        /// Attention scores are bent to stay within this: `cap tanh(x / cap)`.
        attention_cap: Option<Rational> = "none",
        /// Logits are bent to stay within this.
        logit_cap: Option<Rational> = "none",
        /// What scores are multiplied with. `none`: `1 / sqrt(head_dim)`.
        score_scale: Option<Rational> = "none",
        /// How far the attention of the blocks reaches, repeated over the layers.
        pattern: Vec<AttentionReach> = "[global]",
        /// Whether the output head is the embedding.
        embedding: Embedding = "untied",
        /// What the embedding is multiplied with.
        embedding_scale: Option<Rational> = "none",
        /// Experts in place of the feed-forward of every block.
        experts: Option<Experts> = "none",
        /// Share of activations dropped in training: of the embedding, and of what attention and feed-forward add to the
        /// residual stream.
        dropout: Rational = "0",
        /// Positions.
        @binary context: usize,
        /// Entries of the vocabulary. `none`: the tokenizer's, rounded up to a multiple of 64.
        @binary vocab: Option<usize> = "none",
        /// Initial weights: drawn, or made from another model's.
        init: Init = "normal()",
    }
}

/// The kind.
pub(super) static KIND: Kind = Kind {
    fields: &[
        Field {
            name: "parameters",
            doc: "All parameters; a tied head counts once.",
            read: |v| count(v, |c| c.parameters),
        },
        Field {
            name: "parameters_non_embedding",
            doc: "Parameters without the embedding and an untied head.",
            read: |v| count(v, |c| c.non_embedding),
        },
        Field {
            name: "parameters_active",
            doc: "Parameters that one token uses.",
            read: |v| count(v, |c| c.active),
        },
    ],
    check: check::check,
    lacks: check::lacks,
    cost: |view| model_cost(view).map(Cost::Model),
    ..Kind::new(ModelKind::SIGNATURE, Form::Either(<ModelSource as Arg>::TY), Yields::Model, elaborate)
};

fn model_cost(view: &View<'_>) -> Option<ModelCost> {
    sizes::of_model(view).map(|sizes| cost_of(&sizes))
}

/// Parameter counts for plans and checks.
pub(super) fn cost_of(sizes: &Architecture) -> ModelCost {
    ModelCost {
        parameters: sizes.parameters(),
        non_embedding: sizes.parameters_non_embedding(),
        active: sizes.parameters_active(),
    }
}

fn count(view: &View<'_>, pick: fn(&ModelCost) -> u64) -> Option<Value> {
    model_cost(view).map(|cost| Value::number(i128::from(pick(&cost))))
}

/// The operation that opens a model folder: weights, tokenizer, sizes.
pub(super) const OPEN: (&str, u32) = (llmp_stdlib::registry::OPEN_MODEL, 1);

/// The operation that makes experts from a dense model.
pub(super) const UPCYCLE: (&str, u32) = ("upcycle", 2);

/// A description has no step of its own, unless its weights are made from another model's. Its vocabulary is filled
/// in when the tokenizer's size is known; otherwise the stage does it once the tokenizer is there.
fn elaborate(view: &View<'_>, planner: &mut dyn Planner) -> Result<Output, Problem> {
    if let Some(Value::Call(call)) = view.value {
        return open(call, planner);
    }
    let tokenizer = match view.get("tokenizer") {
        Some(Value::Item(item)) => planner.item(item)?,
        Some(Value::Call(call)) => Output::Port(planner.call(call, &[])?),
        _ => return Err(Problem::error("LLMP0103", "tokenizer", "this model has no tokenizer")),
    };
    let Output::Port(tokenizer) = tokenizer else {
        return Err(Problem::error("LLMP0201", "tokenizer", "this is not a tokenizer"));
    };
    let mut spec = view.members.clone();
    spec.shift_remove("tokenizer");
    if view.get("vocab").is_none()
        && let Some(size) = sizes::tokenizer_size(view)
    {
        spec.insert("vocab".into(), Value::number(sizes::padded(size) as i128));
    }
    let weights = match view.read("init") {
        Some(Init::Upcycle(upcycle)) => Some(upcycled(&upcycle, &spec, planner)?),
        Some(Init::Normal(_)) | None => None,
    };
    Ok(Output::Model { spec, tokenizer: Some(tokenizer), weights })
}

/// `model m = hf("…")`: a step that opens the folder; its tokenizer is a part of the result.
fn open(call: &Call, planner: &mut dyn Planner) -> Result<Output, Problem> {
    let hf =
        Hf::read(&call.args).map_err(|_| Problem::error("LLMP0201", "", "this is not a model folder"))?;
    let spec = match &hf.sizes {
        Some(ModelRef(Value::Item(item))) => match planner.item(item)? {
            Output::Model { spec, .. } => spec,
            _ => Record::new(),
        },
        _ => Record::new(),
    };
    let args = [("folder".to_owned(), Value::text(hf.folder.0))].into();
    let weights = planner.step(OPEN.0, OPEN.1, args);
    let tokenizer = Port { part: Some("tokenizer".into()), ..weights.clone() };
    Ok(Output::Model { spec, tokenizer: Some(tokenizer), weights: Some(weights) })
}

fn upcycled(upcycle: &Upcycle, spec: &Record, planner: &mut dyn Planner) -> Result<Port, Problem> {
    let wrong = || Problem::error("LLMP0201", "init.from", "experts are made from a trained model");
    let Value::Item(item) = &upcycle.from.0 else { return Err(wrong()) };
    let Output::Model { weights: Some(dense), .. } = planner.item(item)? else { return Err(wrong()) };
    let experts = spec.get("experts").cloned().unwrap_or(Value::None);
    let args = [
        ("from", Value::Port(dense)),
        ("experts", experts),
        ("vocab", spec.get("vocab").cloned().unwrap_or(Value::None)),
        ("reinit", Value::number(upcycle.reinit)),
        ("std", Value::number(upcycle.std)),
    ];
    let args = args.map(|(name, value)| (name.to_owned(), value)).into();
    Ok(planner.step(UPCYCLE.0, UPCYCLE.1, args))
}
