//! What an architecture is, in full: more than this runtime can run, so that any published model can be counted.

use super::tensors::{Part, Role, Tensor};
use super::{LARGEST, MOST_LAYERS};
use crate::DecoderSpec;
use crate::kinds::NormPlace;

/// No block has more experts.
const MOST_EXPERTS: usize = 1 << 12;

/// How a feed-forward bends its hidden units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `x sigmoid(x)`.
    Silu,
    /// Gaussian error linear unit by its tanh approximation.
    GeluTanh,
    /// Gaussian error linear unit by the error function.
    Gelu,
    /// The square of the positive part.
    Relu2,
}

/// A feed-forward.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FeedForward {
    /// How its hidden units are bent.
    pub activation: Activation,
    /// Whether a second matrix gates them.
    pub gated: bool,
    /// Hidden units.
    pub hidden: usize,
}

/// A norm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormForm {
    /// Divides by the root mean square; otherwise centres and divides by the standard deviation.
    pub rms: bool,
    /// Whether it adds a learned bias.
    pub bias: bool,
    /// Whether its gain is stored less one.
    pub offset: bool,
    /// Added under the root.
    pub eps: f64,
}

/// Experts in place of one feed-forward.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExpertForm {
    /// Experts that the router chooses from.
    pub routed: usize,
    /// Experts that one token uses.
    pub active: usize,
    /// Hidden units of one.
    pub hidden: usize,
    /// Hidden units of the part that every token uses; 0 without one.
    pub shared: usize,
    /// Whether that part has a gate of its own.
    pub shared_gate: bool,
}

/// How a model knows the order of its tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Order {
    /// By a table of positions that is learned.
    Table,
    /// By turning queries and keys, with this base; `plain` when no scaling changes the frequencies.
    Rotary {
        /// Base of the frequencies, after a law that changes it.
        base: f64,
        /// Whether the frequencies are those of the base.
        plain: bool,
    },
    /// Not at all.
    None,
}

/// How far the attention of a block reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Everything before the token.
    Global,
    /// Everything before the token, without positions.
    GlobalWithoutOrder,
    /// So many positions.
    Window(usize),
}

/// A decoder with everything that decides its parameters and its arithmetic.
#[derive(Debug, Clone, PartialEq)]
pub struct Architecture {
    /// Entries of the vocabulary.
    pub vocab: usize,
    /// Blocks.
    pub layers: usize,
    /// Width of the residual stream.
    pub width: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// The feed-forward of a block without experts.
    pub ffn: FeedForward,
    /// Experts in its place.
    pub experts: Option<ExpertForm>,
    /// The norms of the residual stream.
    pub norm: NormForm,
    /// Where they stand.
    pub norm_place: NormPlace,
    /// Norm of queries and keys, for each head.
    pub qk_norm: Option<NormForm>,
    /// Positions.
    pub order: Order,
    /// Biases of queries, keys and values.
    pub qkv_bias: bool,
    /// Biases of all matrices of the blocks.
    pub bias: bool,
    /// Reaches of the blocks, repeated over the layers; never empty.
    pub pattern: Vec<Reach>,
    /// Caps and scales that differ from a plain decoder's.
    pub bent: bool,
    /// Whether the output head is the embedding.
    pub tied: bool,
    /// Share of activations dropped in training.
    pub dropout: f64,
    /// Positions.
    pub context: usize,
    /// Standard deviation of initial matrices.
    pub init_std: f64,
}

impl Architecture {
    /// Width of all query heads together.
    pub fn query_width(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Width of all key (or value) heads together.
    pub fn kv_width(&self) -> usize {
        self.kv_heads * self.head_dim
    }

    /// Every contradiction, in words that name both sides; empty when the parameters can be counted.
    pub fn validate(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let hidden = self.experts.map_or(self.ffn.hidden, |e| e.hidden);
        let sizes = [
            ("vocab", self.vocab, LARGEST),
            ("layers", self.layers, MOST_LAYERS),
            ("width", self.width, LARGEST),
            ("heads", self.heads, LARGEST),
            ("kv_heads", self.kv_heads, LARGEST),
            ("head_dim", self.head_dim, LARGEST),
            ("ffn.hidden", hidden, LARGEST),
            ("context", self.context, LARGEST * 64),
            ("experts", self.experts.map_or(1, |e| e.routed), MOST_EXPERTS),
        ];
        for (name, size, most) in sizes {
            if size == 0 {
                problems.push(format!("`{name}` is 0"));
            } else if size > most {
                problems.push(format!("`{name}` is {size}, more than {most}"));
            }
        }
        if self.heads.saturating_mul(self.head_dim) > LARGEST {
            let (heads, dim) = (self.heads, self.head_dim);
            problems.push(format!("heads ({heads}) times head_dim ({dim}) is more than {LARGEST}"));
        }
        if self.kv_heads != 0 && !self.heads.is_multiple_of(self.kv_heads) {
            problems.push(format!("kv_heads ({}) does not divide heads ({})", self.kv_heads, self.heads));
        }
        if let Some(e) = self.experts
            && (e.active == 0 || e.active > e.routed || e.shared > LARGEST)
        {
            problems.push(format!("{} active of {} experts", e.active, e.routed));
        }
        problems
    }

    /// All tensors in canonical order, alike ones stated once: embedding, a block, what follows the blocks.
    pub fn tensors(&self) -> Vec<Tensor> {
        let mut all = vec![Tensor::new(Part::Once, "embedding", &[self.vocab, self.width], Role::Table)];
        if self.order == Order::Table {
            all.push(Tensor::new(Part::Once, "positions", &[self.context, self.width], Role::Table));
        }
        let (before, after) = match self.norm_place {
            NormPlace::Pre => (true, false),
            NormPlace::Post => (false, true),
            NormPlace::Sandwich => (true, true),
        };
        if before {
            self.norm_of(&mut all, Part::Block, ["attention.norm", "attention.norm.bias"]);
        }
        self.attention(&mut all);
        if after {
            self.norm_of(&mut all, Part::Block, ["attention.post_norm", "attention.post_norm.bias"]);
        }
        if before {
            self.norm_of(&mut all, Part::Block, ["ffn.norm", "ffn.norm.bias"]);
        }
        self.feed_forward(&mut all);
        if after {
            self.norm_of(&mut all, Part::Block, ["ffn.post_norm", "ffn.post_norm.bias"]);
        }
        self.norm_of(&mut all, Part::Once, ["norm", "norm.bias"]);
        if !self.tied {
            all.push(Tensor::new(Part::Once, "head", &[self.vocab, self.width], Role::Head));
        }
        all
    }

    fn norm_of(&self, all: &mut Vec<Tensor>, part: Part, [gain, bias]: [&'static str; 2]) {
        all.push(Tensor::new(part, gain, &[self.width], Role::Gain));
        if self.norm.bias {
            all.push(Tensor::new(part, bias, &[self.width], Role::Bias));
        }
    }

    fn attention(&self, all: &mut Vec<Tensor>) {
        let (w, q, kv) = (self.width, self.query_width(), self.kv_width());
        let rows = [
            ("attention.q", "attention.q.bias", q, w, self.qkv_bias || self.bias),
            ("attention.k", "attention.k.bias", kv, w, self.qkv_bias || self.bias),
            ("attention.v", "attention.v.bias", kv, w, self.qkv_bias || self.bias),
            ("attention.o", "attention.o.bias", w, q, self.bias),
        ];
        for (name, bias_name, outputs, inputs, bias) in rows {
            all.push(Tensor::new(Part::Block, name, &[outputs, inputs], Role::Matrix));
            if bias {
                all.push(Tensor::new(Part::Block, bias_name, &[outputs], Role::Bias));
            }
        }
        if let Some(norm) = self.qk_norm {
            let names = [
                ("attention.q_norm", "attention.q_norm.bias"),
                ("attention.k_norm", "attention.k_norm.bias"),
            ];
            for (gain, bias) in names {
                all.push(Tensor::new(Part::Block, gain, &[self.head_dim], Role::Gain));
                if norm.bias {
                    all.push(Tensor::new(Part::Block, bias, &[self.head_dim], Role::Bias));
                }
            }
        }
    }

    fn feed_forward(&self, all: &mut Vec<Tensor>) {
        let w = self.width;
        let mut matrices = |part: Part, names: [&'static str; 6], hidden: usize, bias: bool| {
            let [gate, gate_bias, up, up_bias, down, down_bias] = names;
            let rows = [(gate, gate_bias, hidden, w), (up, up_bias, hidden, w), (down, down_bias, w, hidden)];
            for (name, bias_name, outputs, inputs) in rows.into_iter().skip(usize::from(!self.ffn.gated)) {
                all.push(Tensor::new(part, name, &[outputs, inputs], Role::Matrix));
                if bias {
                    all.push(Tensor::new(part, bias_name, &[outputs], Role::Bias));
                }
            }
        };
        let Some(experts) = self.experts else {
            let names = ["ffn.gate", "ffn.gate.bias", "ffn.up", "ffn.up.bias", "ffn.down", "ffn.down.bias"];
            return matrices(Part::Block, names, self.ffn.hidden, self.bias);
        };
        let names = ["gate", "gate.bias", "up", "up.bias", "down", "down.bias"];
        matrices(Part::Expert, names, experts.hidden, self.bias);
        if experts.shared > 0 {
            let names = [
                "ffn.shared.gate",
                "ffn.shared.gate.bias",
                "ffn.shared.up",
                "ffn.shared.up.bias",
                "ffn.shared.down",
                "ffn.shared.down.bias",
            ];
            matrices(Part::Block, names, experts.shared, self.bias);
        }
        all.push(Tensor::new(Part::Block, "ffn.router", &[experts.routed, w], Role::Matrix));
        if experts.shared > 0 && experts.shared_gate {
            all.push(Tensor::new(Part::Block, "ffn.shared_gate", &[1, w], Role::Matrix));
        }
    }

    /// The decoder that this runtime runs, if it can: otherwise words for what it lacks.
    pub fn decoder(&self) -> Result<DecoderSpec, Vec<&'static str>> {
        let norm = |n: &NormForm| n.rms && !n.bias && !n.offset;
        let lacks = [
            (self.norm_place != NormPlace::Pre, "norms anywhere but before attention and feed-forward"),
            (!norm(&self.norm), "another norm than plain rms(…)"),
            (
                !(self.ffn.gated && self.ffn.activation == Activation::Silu),
                "another feed-forward than swiglu(…)",
            ),
            (self.experts.is_some(), "experts"),
            (self.qk_norm.is_some(), "a norm on queries and keys"),
            (
                !matches!(self.order, Order::Rotary { plain: true, .. }),
                "other positions than rope(…) without scaling",
            ),
            (self.qkv_bias || self.bias, "biases"),
            (self.pattern.iter().any(|r| *r != Reach::Global), "attention that is not global"),
            (self.bent, "caps and scales of scores, logits or embeddings"),
            (self.dropout != 0.0, "dropout"),
        ];
        let lacks: Vec<&'static str> = lacks.into_iter().filter(|(on, _)| *on).map(|(_, w)| w).collect();
        let Order::Rotary { base, .. } = self.order else { return Err(lacks) };
        if !lacks.is_empty() {
            return Err(lacks);
        }
        Ok(DecoderSpec {
            vocab: self.vocab,
            layers: self.layers,
            width: self.width,
            heads: self.heads,
            kv_heads: self.kv_heads,
            head_dim: self.head_dim,
            ffn_hidden: self.ffn.hidden,
            norm_eps: self.norm.eps,
            rope_base: base,
            tied: self.tied,
            context: self.context,
            init_std: self.init_std,
        })
    }
}

impl From<&DecoderSpec> for Architecture {
    fn from(spec: &DecoderSpec) -> Self {
        Architecture {
            vocab: spec.vocab,
            layers: spec.layers,
            width: spec.width,
            heads: spec.heads,
            kv_heads: spec.kv_heads,
            head_dim: spec.head_dim,
            ffn: FeedForward { activation: Activation::Silu, gated: true, hidden: spec.ffn_hidden },
            experts: None,
            norm: NormForm { rms: true, bias: false, offset: false, eps: spec.norm_eps },
            norm_place: NormPlace::Pre,
            qk_norm: None,
            order: Order::Rotary { base: spec.rope_base, plain: true },
            qkv_bias: false,
            bias: false,
            pattern: vec![Reach::Global],
            bent: false,
            tied: spec.tied,
            dropout: 0.0,
            context: spec.context,
            init_std: spec.init_std,
        }
    }
}
