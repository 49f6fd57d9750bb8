//! Parameter counts, FLOPs and bytes: sums over the tensors of an architecture.

use super::tensors::{Part, Role, Tensor};
use super::{Architecture, Reach};
use crate::kinds::NormPlace;

/// What a stage of training does that decides its memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pass {
    /// Rows that go through the model at once.
    pub rows: u64,
    /// Positions of a row.
    pub length: u64,
    /// Bytes of a saved activation: 4, or 2 in bf16.
    pub bytes: u64,
    /// Whether the inside of the blocks is computed again.
    pub recompute: bool,
}

impl Architecture {
    /// All parameters, a tied head counted once.
    pub fn parameters(&self) -> u64 {
        self.sum(|_| true)
    }

    /// Parameters without tables (embedding, learned positions) and without an untied head.
    pub fn parameters_non_embedding(&self) -> u64 {
        self.sum(|t| !matches!(t.role, Role::Table | Role::Head))
    }

    /// Parameters that one token uses: of the routed experts only the active ones.
    pub fn parameters_active(&self) -> u64 {
        let idle = self.experts.map_or(0, |e| (e.routed.saturating_sub(e.active)) as u64);
        let one = |t: &Tensor| t.count().saturating_mul(self.layers as u64 * idle);
        let idle: u64 = self.tensors().iter().filter(|t| t.part == Part::Expert).map(one).sum();
        self.parameters().saturating_sub(idle)
    }

    /// The sum of the sizes of the tensors that `keep` names.
    pub fn sum(&self, keep: impl Fn(&Tensor) -> bool) -> u64 {
        let tensors = self.tensors();
        let sizes = tensors.iter().filter(|t| keep(t)).map(|t| t.count().saturating_mul(self.copies(t)));
        sizes.fold(0, u64::saturating_add)
    }

    /// Parameters in matrix products of one token: tables left out, the head counted once, active experts only.
    pub fn parameters_multiplied(&self) -> u64 {
        let active = self.experts.map_or(0, |e| e.active as u64) * self.layers as u64;
        let head = if self.tied { (self.vocab * self.width) as u64 } else { 0 };
        let tensors = self.tensors();
        let products = tensors.iter().filter(|t| matches!(t.role, Role::Matrix | Role::Head));
        let used = |t: &Tensor| match t.part {
            Part::Once | Part::Block => self.copies(t),
            Part::Expert => active,
        };
        products.map(|t| t.count().saturating_mul(used(t))).fold(head, u64::saturating_add)
    }

    /// FLOPs of training on one token: `6 N + 6 heads head_dim (sum over the layers of their span)`, with N the
    /// parameters used in matrix products.
    ///
    /// `length` is the number of positions of a row. Scores and values are two products per attended position, so
    /// the executed work is met with a span of twice the mean number of attended positions: the row for whole
    /// causal rows (half of it, doubled), `W (2 - W / length)` for a window of W positions.
    pub fn flops_per_token(&self, length: f64) -> f64 {
        let span = |reach: Reach| match reach {
            Reach::Global | Reach::GlobalWithoutOrder => length,
            Reach::Window(window) => {
                let window = (window as f64).min(length);
                window * (2.0 - window / length.max(1.0))
            }
        };
        let spans: f64 = if let [only] = self.pattern[..] {
            self.layers as f64 * span(only)
        } else {
            self.pattern.iter().cycle().take(self.layers).map(|r| span(*r)).sum()
        };
        6.0 * self.parameters_multiplied() as f64 + 6.0 * self.query_width() as f64 * spans
    }

    /// Bytes of the weights while they are trained, with their gradients of a micro-batch and of the batch; in f32, for bf16
    /// is a format of products, not of what is kept.
    pub fn trained_bytes(&self) -> u64 {
        self.parameters().saturating_mul(12)
    }

    /// Bytes saved between forward and backward, plus what is alive with them: the gradients of one block, one chunk of
    /// logits and the head's gradients, and what the allocator and the threads of products hold ([`KEPT_BACK`]).
    pub fn activation_bytes(&self, pass: Pass) -> u64 {
        let n = pass.rows.saturating_mul(pass.length);
        let (block, width) = (self.saved_by_block() as u64, self.width as u64);
        let layers = self.layers as u64;
        // Blocks with experts keep what they computed.
        let again = pass.recompute && self.experts.is_none();
        let blocks = block + if again { layers * width + block } else { layers * block };
        // final norm input and output, the head's gradient of its input
        let per_token = blocks + 3 * width + 1;
        let table = self.vocab as u64 * width;
        let head = self.vocab as u64 * (head_rows(self.vocab) as u64).min(n) + table;
        pass.bytes.saturating_mul(n.saturating_mul(per_token)).saturating_add(4 * head + KEPT_BACK)
    }

    /// Numbers that one block saves for one token. Attention: norm input and output, rotated q k v, output, one
    /// logsumexp a head, one norm scale. Feed-forward: norm input and output, gate and up, their product, one
    /// norm scale. A norm after a half saves its input besides, one of heads what it is given, and both a scale.
    /// Norms that stand only after save what those that stand only before do; dropout draws its numbers again.
    fn saved_by_block(&self) -> usize {
        let after = if self.norm_place == NormPlace::Sandwich { self.width + 1 } else { 0 };
        let products = if self.ffn.gated { 3 } else { 2 };
        let ffn = match self.experts {
            None => products * self.ffn.hidden,
            Some(e) => products * (e.active * e.hidden + e.shared) + e.routed,
        };
        let (q, kv) = (self.query_width(), self.kv_width());
        let qk = if self.qk_norm.is_some() { q + 2 * kv + self.heads + self.kv_heads } else { 0 };
        2 * (2 * self.width + 1 + after) + 2 * q + 2 * kv + qk + self.heads + ffn
    }
}

/// Bytes that a training process holds whatever it trains, measured over 20 settings (`tests/python/memory_estimate.py`).
const KEPT_BACK: u64 = 96 << 20;

/// Most rows of logits that the head makes at a time: 1,024, or fewer so that they stay within 32 MiB.
pub(crate) fn head_rows(vocab: usize) -> usize {
    ((1 << 23) / vocab.max(1)).clamp(16, 1024)
}
