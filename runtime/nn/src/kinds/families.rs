//! Constructors of the members of a model.

use llmp_stdlib::arg::FilePath;
use llmp_stdlib::{Arg, Rational, Ty, Value};

llmp_stdlib::def! {
    /// Gated feed-forward `(silu(x gate) * (x up)) down` (Shazeer 2020).
    ///
    /// Without `hidden`, its units are `ratio` times the width, rounded up to a multiple of `multiple`.
    Swiglu = "swiglu", rev 1 {
        /// Hidden units; wins over the ratio.
        hidden: Option<usize> = "none",
        /// Hidden units per unit of width.
        ratio: Rational = "8/3",
        /// The hidden units are rounded up to a multiple of this.
        multiple: usize = "64",
    }
}

llmp_stdlib::family! {
    /// The feed-forward part of a block.
    Ffn = "feed-forward" { Swiglu }
}

llmp_stdlib::def! {
    /// Root-mean-square normalisation `x * gain / sqrt(mean(x^2) + eps)` (Zhang and Sennrich 2019).
    Rms = "rms", rev 1 {
        /// Added to the mean square.
        eps: Rational = "1e-5",
    }
}

llmp_stdlib::family! {
    /// How the residual stream is normalised.
    Norm = "norm" { Rms }
}

llmp_stdlib::choices! {
    /// Where the norms of a block stand.
    NormPlace = "norm place" {
        /// Before attention and feed-forward.
        Pre = "pre",
        /// After them.
        Post = "post",
        /// Before and after.
        Sandwich = "sandwich",
    }
}

llmp_stdlib::def! {
    /// Learned embeddings of absolute positions, as many as the context.
    Learned = "learned", rev 1 {}
}

llmp_stdlib::def! {
    /// Rotary positions: pairs of every query and key turn by `position * base^(-2i / head_dim)` (Su et al. 2021).
    Rope = "rope", rev 1 {
        /// Base of the frequencies.
        base: Rational = "10k",
    }
}

llmp_stdlib::family! {
    /// How a model knows the order of its tokens.
    Position = "position" { Learned, Rope }
}

llmp_stdlib::choices! {
    /// Whether the output head has its own matrix.
    Embedding = "embedding" {
        /// The head is the embedding.
        Tied = "tied",
        /// The head has its own matrix.
        Untied = "untied",
    }
}

llmp_stdlib::def! {
    /// A mixture of experts in place of one feed-forward.
    Moe = "moe", rev 1 {
        /// Experts of a block.
        experts: usize,
        /// Experts that one token uses.
        active: usize,
        /// Hidden units of an expert.
        hidden: Option<usize> = "none",
        /// Experts that every token uses besides.
        shared: usize = "0",
        /// Weight of the loss that balances the load.
        balance: Rational = "0.001",
    }
}

llmp_stdlib::family! {
    /// Experts of a block.
    Experts = "experts" { Moe }
}

llmp_stdlib::def! {
    /// Matrices from a normal distribution; the two that write to the residual stream are scaled by
    /// `1 / sqrt(2 layers)`. Gains start at 1.
    Normal = "normal", rev 1 {
        /// Standard deviation.
        std: Rational = "0.02",
    }
}

llmp_stdlib::family! {
    /// Initial weights.
    Init = "init" { Normal }
}

llmp_stdlib::def! {
    /// Attention to the last `window` positions only.
    Window = "local", rev 1 {
        /// Positions that a token sees, itself included.
        @binary window: usize,
    }
}

llmp_stdlib::family! {
    /// Attention that does not reach everything.
    Local = "reach" { Window }
}

llmp_stdlib::choices! {
    /// Attention to the whole context.
    Global = "reach" {
        /// Everything before the token.
        Global = "global",
    }
}

/// How far the attention of a block reaches: `global` or `local(window)`.
#[derive(Debug, Clone, PartialEq)]
pub enum AttentionReach {
    /// Everything before the token.
    Global,
    /// A window.
    Local(Window),
}

impl Arg for AttentionReach {
    const TY: Ty = Ty::OneOf(&[<Global as Arg>::TY, <Local as Arg>::TY]);
    fn read(value: &Value) -> Result<Self, String> {
        match Local::read(value) {
            Ok(Local::Window(window)) => Ok(Self::Local(window)),
            Err(_) => Global::read(value).map(|Global::Global| Self::Global),
        }
    }
}

llmp_stdlib::choices! {
    /// What a model has been trained for.
    Stage = "stage" {
        /// Next tokens of documents.
        Base = "base",
        /// Answers in conversations.
        Sft = "sft",
        /// Answers that people prefer.
        Aligned = "aligned",
    }
}

llmp_stdlib::def! {
    /// A folder in Hugging Face form: `config.json`, `model.safetensors`, `tokenizer.json`.
    Hf = "hf", rev 1 {
        /// The folder.
        folder: FilePath,
        /// What the model has been trained for.
        stage: Stage = "base",
    }
}

llmp_stdlib::family! {
    /// A model that is there already.
    ModelSource = "model" { Hf }
}
