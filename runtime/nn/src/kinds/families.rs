//! Constructors of the members of a model.

use llmp_stdlib::arg::{FilePath, ModelRef};
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

llmp_stdlib::def! {
    /// Gated feed-forward `(gelu(x gate) * (x up)) down` with the tanh approximation of the Gaussian error linear unit
    /// (Gemma, Gemma 2).
    Geglu = "geglu", rev 1 {
        /// Hidden units; wins over the ratio.
        hidden: Option<usize> = "none",
        /// Hidden units per unit of width.
        ratio: Rational = "8/3",
        /// The hidden units are rounded up to a multiple of this.
        multiple: usize = "64",
    }
}

llmp_stdlib::choices! {
    /// How the Gaussian error linear unit is computed.
    GeluForm = "gelu form" {
        /// By its tanh approximation (GPT-2).
        Tanh = "tanh",
        /// By the error function.
        Exact = "exact",
    }
}

llmp_stdlib::def! {
    /// Feed-forward `gelu(x up) down` of two matrices (GPT-2).
    Gelu = "gelu", rev 1 {
        /// Hidden units; wins over the ratio.
        hidden: Option<usize> = "none",
        /// Hidden units per unit of width.
        ratio: Rational = "4",
        /// How it is computed.
        form: GeluForm = "tanh",
    }
}

llmp_stdlib::def! {
    /// Feed-forward `relu(x up)^2 down` of two matrices (So et al. 2021; nanochat).
    Relu2 = "relu2", rev 1 {
        /// Hidden units; wins over the ratio.
        hidden: Option<usize> = "none",
        /// Hidden units per unit of width.
        ratio: Rational = "4",
    }
}

llmp_stdlib::family! {
    /// The feed-forward part of a block.
    Ffn = "feed-forward" { Geglu, Gelu, Relu2, Swiglu }
}

llmp_stdlib::def! {
    /// Layer normalisation: centred, divided by the standard deviation, times a gain, plus a bias (Ba et al. 2016).
    LayerNorm = "layer_norm", rev 1 {
        /// Added to the variance.
        eps: Rational = "1e-5",
        /// Whether a learned bias is added.
        bias: bool = "true",
    }
}

llmp_stdlib::def! {
    /// Root-mean-square normalisation `x * gain / sqrt(mean(x^2) + eps)` (Zhang and Sennrich 2019).
    Rms = "rms", rev 1 {
        /// Added to the mean square.
        eps: Rational = "1e-5",
        /// Whether the gain is stored less one: `1 + weight` is multiplied (Gemma).
        offset: bool = "false",
    }
}

llmp_stdlib::family! {
    /// How the residual stream is normalised.
    Norm = "norm" { LayerNorm, Rms }
}

llmp_stdlib::choices! {
    /// Where the norms of a block stand.
    NormPlace = "norm place" {
        /// Before attention and feed-forward.
        Pre = "pre",
        /// After them, on what they add to the residual stream (OLMo 2).
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
    /// Base of the frequencies by the law `base^(ln(to / 2pi) / ln(from / 2pi))`: the lowest frequency then turns over
    /// `to` positions as far as it did over `from`. 500k from 8Ki to 32Ki gives the 6,315,089 of AFM.
    BaseLaw = "base_law", rev 1 {
        /// Positions for which the base was chosen.
        @binary from: usize,
        /// Positions wanted.
        @binary to: usize,
    }
}

llmp_stdlib::def! {
    /// Frequencies of Llama 3.1: long wavelengths are stretched by `factor`, short ones kept, those between blended.
    Llama3 = "llama3", rev 1 {
        /// How far long wavelengths are stretched.
        factor: Rational = "8",
        /// Wavelengths longer than `original / low` are stretched wholly.
        low: Rational = "1",
        /// Wavelengths shorter than `original / high` are kept.
        high: Rational = "4",
        /// Positions before the stretching.
        @binary original: usize = "8Ki",
    }
}

llmp_stdlib::def! {
    /// A larger base, so that the lowest frequency is stretched by `factor` and the highest kept (NTK-aware).
    Ntk = "ntk", rev 1 {
        /// How far the longest wavelength is stretched.
        factor: Rational,
    }
}

llmp_stdlib::def! {
    /// Frequencies by parts with a temperature of `0.1 ln(factor) + 1` on queries and keys (YaRN, Peng et al. 2023).
    Yarn = "yarn", rev 1 {
        /// How far long wavelengths are stretched.
        factor: Rational = "4",
        /// Positions before the stretching.
        @binary original: usize = "32Ki",
        /// Turns over `original` above which a frequency is kept.
        fast: Rational = "32",
        /// Turns over `original` below which it is stretched wholly.
        slow: Rational = "1",
    }
}

llmp_stdlib::family! {
    /// How the frequencies of rotary positions are changed for a longer context.
    Scaling = "scaling" { BaseLaw, Llama3, Ntk, Yarn }
}

llmp_stdlib::def! {
    /// Dual chunk attention: offsets are folded into the trained length, without training (An et al. 2024; Qwen 2, section 3.2).
    ///
    /// Texts up to the trained length read as without it. A Qwen 2 folder states it as vLLM does
    /// (`dual_chunk_attention_config`); transformers does not know it and reads such a model up to the trained length.
    DualChunk = "dual_chunk", rev 1 {
        /// Positions that the model was trained on.
        @binary trained: usize,
        /// Positions of a chunk; without it three quarters of the trained length.
        chunk: Option<usize> = "none",
    }
}

llmp_stdlib::family! {
    /// How attention is cut into chunks beyond the trained length.
    Chunks = "chunks" { DualChunk }
}

llmp_stdlib::def! {
    /// Rotary positions: pairs of every query and key turn by `position * base^(-2i / head_dim)` (Su et al. 2021).
    Rope = "rope", rev 1 {
        /// Base of the frequencies.
        base: Rational = "10k",
        /// How the frequencies are changed for a longer context.
        scaling: Option<Scaling> = "none",
        /// Chunks beyond the trained length.
        chunks: Option<Chunks> = "none",
    }
}

llmp_stdlib::family! {
    /// How a model knows the order of its tokens.
    Position = "position" { Learned, Rope }
}

llmp_stdlib::choices! {
    /// Whether queries and keys are normalised before or after they are turned.
    QkPlace = "place of the norm" {
        /// Before (Qwen3, Gemma 3).
        Before = "before_rope",
        /// After (Apple's public code, nanochat). Scores then depend on positions, not on their differences only.
        After = "after_rope",
    }
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
    /// A mixture of experts in place of one feed-forward: a router chooses the experts of each token, and what they give
    /// is weighted by its probabilities.
    ///
    /// Qwen2-57B-A14B is `moe(experts = 64, active = 8, hidden = 2560, shared = 8, renormalise = false)`.
    Moe = "moe", rev 1 {
        /// Experts that the router chooses from.
        experts: usize,
        /// Experts that one token uses.
        active: usize,
        /// Hidden units of an expert; without it those of the feed-forward.
        hidden: Option<usize> = "none",
        /// Experts that every token uses besides; they are one feed-forward of `shared` times the hidden units.
        shared: usize = "0",
        /// Whether the shared experts have a gate of their own, a sigmoid of one number a token.
        shared_gate: bool = "true",
        /// Whether the probabilities of the chosen experts are scaled to sum to one.
        renormalise: bool = "true",
        /// Weight of the loss that balances the load (Switch form).
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

llmp_stdlib::def! {
    /// Experts cut from the feed-forwards of a trained dense model of the same sizes ("diversified upcycling", Qwen 2): its
    /// hidden units are repeated until they fill the experts, shuffled within each copy, and a part of every expert is
    /// drawn anew. The shared experts take the units in their order and keep them. Everything else is copied; the router is
    /// drawn.
    Upcycle = "upcycle", rev 1 {
        /// The trained dense model.
        from: ModelRef,
        /// Share of every expert's numbers that is drawn anew.
        reinit: Rational = "50%",
        /// Standard deviation of what is drawn anew.
        std: Rational = "0.02",
    }
}

llmp_stdlib::family! {
    /// Initial weights.
    Init = "init" { Normal, Upcycle }
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
        /// Everything before the token, whose order the block is not told (no rotary positions).
        Nope = "nope",
    }
}

/// How far the attention of a block reaches: `global`, `nope` or `local(window)`.
#[derive(Debug, Clone, PartialEq)]
pub enum AttentionReach {
    /// Everything before the token.
    Global,
    /// The same, without positions.
    Nope,
    /// A window.
    Local(Window),
}

impl Arg for AttentionReach {
    const TY: Ty = Ty::OneOf(&[<Global as Arg>::TY, <Local as Arg>::TY]);
    fn read(value: &Value) -> Result<Self, String> {
        match Local::read(value) {
            Ok(Local::Window(window)) => Ok(Self::Local(window)),
            Err(_) => Global::read(value).map(|reach| match reach {
                Global::Global => Self::Global,
                Global::Nope => Self::Nope,
            }),
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
    /// A folder in Hugging Face form (`config.json`, `model.safetensors` or its shards, `tokenizer.json`) of a llama,
    /// mistral, qwen2, qwen2_moe, gemma2 or gpt2; or one GGUF file of a llama, qwen2 or gemma2.
    ///
    /// ```llmp
    /// model base = hf("models/SmolLM2-135M", stage = base)
    /// ```
    Hf = "hf", rev 1 {
        /// The folder.
        folder: FilePath,
        /// What the model has been trained for.
        stage: Stage = "base",
        /// A model with the same sizes, where they are wanted before the folder is read.
        sizes: Option<ModelRef> = "none",
    }
}

llmp_stdlib::family! {
    /// A model that is there already.
    ModelSource = "model" { Hf }
}
