//! `model name { … }`: a decoder, described.

use llmp_stdlib::arg::TokenizerRef;
use llmp_stdlib::kind::{Cost, Field};
use llmp_stdlib::{
    Arg, Form, Kind, ModelCost, Output, Planner, Problem, Rational, Settings, Value, View, Yields,
};

use super::families::*;
use super::{check, sizes};

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
        /// A norm on queries and keys.
        qk_norm: Option<Norm> = "none",
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
        /// Experts in place of one feed-forward.
        experts: Option<Experts> = "none",
        /// Share of activations dropped in training.
        dropout: Rational = "0",
        /// Positions.
        @binary context: usize,
        /// Entries of the vocabulary. `none`: the tokenizer's, rounded up to a multiple of 64.
        @binary vocab: Option<usize> = "none",
        /// Initial weights.
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
    cost: |view| model_cost(view).map(Cost::Model),
    ..Kind::new(ModelKind::SIGNATURE, Form::Either(<ModelSource as Arg>::TY), Yields::Model, elaborate)
};

fn model_cost(view: &View<'_>) -> Option<ModelCost> {
    let spec = sizes::decoder_spec(view.members, sizes::tokenizer_size(view)).ok()?;
    Some(ModelCost {
        parameters: spec.parameters(),
        non_embedding: spec.parameters_non_embedding(),
        active: spec.parameters_active(),
    })
}

fn count(view: &View<'_>, pick: fn(&ModelCost) -> u64) -> Option<Value> {
    model_cost(view).map(|cost| Value::number(i128::from(pick(&cost))))
}

/// A description has no step of its own. Its vocabulary is filled in when the tokenizer's size is known;
/// otherwise the stage does it once the tokenizer is there.
fn elaborate(view: &View<'_>, planner: &mut dyn Planner) -> Result<Output, Problem> {
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
    Ok(Output::Model { spec, tokenizer: Some(tokenizer), weights: None })
}
