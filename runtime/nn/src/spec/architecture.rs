//! What a decoder is, in full: every setting that decides its parameters or its arithmetic.

use serde::{Deserialize, Serialize};

use super::parts::{Activation, ChunkForm, ExpertForm, FeedForward, NormForm, Order, Reach, Rotary, Stretch};
use super::tensors::{Part, Role, Tensor};
use super::{LARGEST, MOST_LAYERS};
use crate::kinds::{NormPlace, QkPlace};

/// No block has more experts.
const MOST_EXPERTS: usize = 1 << 12;

#[derive(Serialize, Deserialize)]
#[serde(remote = "NormPlace", rename_all = "snake_case")]
enum NormPlaceText {
    Pre,
    Post,
    Sandwich,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "QkPlace", rename_all = "snake_case")]
enum QkPlaceText {
    Before,
    After,
}

/// A decoder with everything that decides its parameters and its arithmetic. [`Architecture::default`] is a plain
/// Llama-style decoder without sizes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
    /// Width of a head; `heads * head_dim` need not equal `width`.
    pub head_dim: usize,
    /// The feed-forward of a block without experts.
    pub ffn: FeedForward,
    /// Experts in its place.
    pub experts: Option<ExpertForm>,
    /// The norms of the residual stream.
    pub norm: NormForm,
    /// Where they stand.
    #[serde(with = "NormPlaceText")]
    pub norm_place: NormPlace,
    /// Norm of queries and keys, for each head.
    pub qk_norm: Option<NormForm>,
    /// Whether it stands before or after the rotary positions.
    #[serde(with = "QkPlaceText")]
    pub qk_norm_place: QkPlace,
    /// Positions.
    pub order: Order,
    /// Biases of queries, keys and values.
    pub qkv_bias: bool,
    /// Biases of all matrices of the blocks.
    pub bias: bool,
    /// Reaches of the blocks, repeated over the layers; never empty.
    pub pattern: Vec<Reach>,
    /// What scores are multiplied with; `1 / sqrt(head_dim)` when it is not given.
    pub score_scale: Option<f64>,
    /// Scores are bent to stay within this.
    pub attention_cap: Option<f64>,
    /// Logits are bent to stay within this.
    pub logit_cap: Option<f64>,
    /// What the embedding is multiplied with.
    pub embedding_scale: Option<f64>,
    /// Whether the output head is the embedding.
    pub tied: bool,
    /// Share of activations dropped in training.
    pub dropout: f64,
    /// Positions.
    pub context: usize,
    /// Standard deviation of initial matrices.
    pub init_std: f64,
}

impl Default for Architecture {
    fn default() -> Self {
        Architecture {
            vocab: 0,
            layers: 0,
            width: 0,
            heads: 0,
            kv_heads: 0,
            head_dim: 0,
            ffn: FeedForward { activation: Activation::Silu, gated: true, hidden: 0 },
            experts: None,
            norm: NormForm { rms: true, bias: false, offset: false, eps: 1e-5 },
            norm_place: NormPlace::Pre,
            qk_norm: None,
            qk_norm_place: QkPlace::Before,
            order: Order::Rotary(Rotary { base: 10_000.0, stretch: Stretch::None, chunks: None }),
            qkv_bias: false,
            bias: false,
            pattern: vec![Reach::Global],
            score_scale: None,
            attention_cap: None,
            logit_cap: None,
            embedding_scale: None,
            tied: false,
            dropout: 0.0,
            context: 0,
            init_std: 0.02,
        }
    }
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

    /// Rows of the merged query, key and value matrix.
    pub fn qkv_width(&self) -> usize {
        self.query_width() + 2 * self.kv_width()
    }

    /// What scores are multiplied with.
    pub fn scale(&self) -> f32 {
        self.score_scale.map_or_else(|| 1.0 / (self.head_dim as f32).sqrt(), |scale| scale as f32)
    }

    /// How far the attention of a block reaches.
    pub fn reach(&self, block: usize) -> Reach {
        self.pattern[block % self.pattern.len()]
    }

    /// Every contradiction, in words that name both sides; empty when the model can be built.
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
        if self.pattern.is_empty() || self.pattern.contains(&Reach::Window(0)) {
            problems.push("the pattern of reaches is empty or has a window of 0".into());
        }
        self.validate_numbers(&mut problems);
        problems
    }

    fn validate_numbers(&self, problems: &mut Vec<String>) {
        let above = |x: f64| x.is_finite() && x > 0.0;
        let given = |x: Option<f64>| x.unwrap_or(1.0);
        let positive = [
            ("norm eps", self.norm.eps),
            ("qk_norm eps", self.qk_norm.map_or(1.0, |n| n.eps)),
            ("score_scale", given(self.score_scale)),
            ("attention_cap", given(self.attention_cap)),
            ("logit_cap", given(self.logit_cap)),
            ("embedding_scale", given(self.embedding_scale)),
        ];
        for (name, x) in positive.into_iter().filter(|(_, x)| !above(*x)) {
            problems.push(format!("{name} is {x}, it must be above 0"));
        }
        if !(self.init_std.is_finite() && self.init_std >= 0.0) {
            problems.push(format!("the initial standard deviation is {}", self.init_std));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            problems.push(format!("dropout is {}, it must be at least 0 and below 1", self.dropout));
        }
        if let Order::Rotary(rotary) = &self.order {
            if !self.head_dim.is_multiple_of(2) {
                problems.push(format!("head_dim ({}) is odd, rotary positions turn pairs", self.head_dim));
            }
            problems.extend(rotary.validate());
        }
    }

    /// All tensors in canonical order, alike ones stated once: embedding, a block, what follows the blocks. Those that are
    /// stored merged (queries, keys and values; gate and up) follow each other, then their biases.
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
        let qkv_bias = self.qkv_bias || self.bias;
        let rows = [("attention.q", q), ("attention.k", kv), ("attention.v", kv)];
        all.extend(rows.map(|(name, outputs)| Tensor::new(Part::Block, name, &[outputs, w], Role::Matrix)));
        let biases = [("attention.q.bias", q), ("attention.k.bias", kv), ("attention.v.bias", kv)];
        let biases = biases.map(|(name, outputs)| Tensor::new(Part::Block, name, &[outputs], Role::Bias));
        all.extend(biases.into_iter().filter(|_| qkv_bias));
        all.push(Tensor::new(Part::Block, "attention.o", &[w, q], Role::Matrix));
        if self.bias {
            all.push(Tensor::new(Part::Block, "attention.o.bias", &[w], Role::Bias));
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
            let skip = usize::from(!self.ffn.gated);
            let rows = [gate, up].map(|name| Tensor::new(part, name, &[hidden, w], Role::Matrix));
            all.extend(rows.into_iter().skip(skip));
            let rows = [gate_bias, up_bias].map(|name| Tensor::new(part, name, &[hidden], Role::Bias));
            all.extend(rows.into_iter().skip(skip).filter(|_| bias));
            all.push(Tensor::new(part, down, &[w, hidden], Role::Matrix));
            if bias {
                all.push(Tensor::new(part, down_bias, &[w], Role::Bias));
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

    /// How attention is cut into chunks, where texts can be longer than the trained length.
    pub(crate) fn chunks(&self) -> Option<ChunkForm> {
        let Order::Rotary(rotary) = &self.order else { return None };
        rotary.chunks.filter(|form| self.context > form.trained)
    }

    /// Words for what this runtime cannot run; empty when it can.
    pub fn lacks(&self) -> Vec<&'static str> {
        let lacks = [(self.experts.is_some() && self.bias, "experts with biases")];
        lacks.into_iter().filter(|(on, _)| *on).map(|(_, words)| words).collect()
    }
}
