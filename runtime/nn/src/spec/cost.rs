//! Parameter counts, FLOPs and activation bytes by closed formulas.

use super::DecoderSpec;

impl DecoderSpec {
    /// All parameters, a tied head counted once.
    pub fn parameters(&self) -> u64 {
        let head = if self.tied { 0 } else { self.embedding_parameters() };
        self.embedding_parameters() + head + self.gains() + self.layers as u64 * self.block_matrices()
    }

    /// Parameters without the embedding table (and without an untied head, which is one as well).
    pub fn parameters_non_embedding(&self) -> u64 {
        self.gains() + self.layers as u64 * self.block_matrices()
    }

    /// Parameters that one token passes through: all of them, for a decoder without experts.
    pub fn parameters_active(&self) -> u64 {
        self.parameters()
    }

    /// FLOPs of training on one token: `6 N + 6 L heads head_dim span`, with N the parameters used in matrix
    /// products (the look-up left out, the head counted once).
    ///
    /// Scores and values are two products per attended position, so the executed work is met with `span` = twice
    /// the mean number of attended positions: the row length for whole causal rows (half of it, doubled),
    /// less with document masks.
    pub fn flops_per_token(&self, span: f64) -> f64 {
        let matmul = self.embedding_parameters() + self.layers as u64 * self.block_matrices();
        6.0 * matmul as f64 + 6.0 * self.layers as f64 * self.query_width() as f64 * span
    }

    /// Bytes that the blocks save between forward and backward for `rows` rows of `length` positions, plus
    /// the largest piece of scratch that is alive with them (one chunk of logits and the head's gradients).
    pub fn activation_bytes(&self, rows: u64, length: u64) -> u64 {
        let (w, q, qkv, f) = (self.width, self.query_width(), self.qkv_width(), self.ffn_hidden);
        // attention: norm input, norm output, rotated q k v, output, 1 logsumexp per head, 1 norm scale;
        // feed-forward: norm input, norm output, gate and up, their product, 1 norm scale.
        let block = 4 * w + qkv + q + self.heads + 3 * f + 2;
        // final norm input and output, the head's gradient of its input
        let ends = 3 * w + 1;
        let per_token = (self.layers * block + ends) as u64;
        let n = rows * length;
        let head = self.vocab as u64 * (head_rows(self.vocab) as u64).min(n) + self.embedding_parameters();
        4 * (n * per_token + head)
    }

    fn embedding_parameters(&self) -> u64 {
        (self.vocab * self.width) as u64
    }

    fn gains(&self) -> u64 {
        ((2 * self.layers + 1) * self.width) as u64
    }

    fn block_matrices(&self) -> u64 {
        (self.width * (self.qkv_width() + self.query_width() + 3 * self.ffn_hidden)) as u64
    }
}

/// Rows of logits that the head makes at a time: 1,024, or fewer so that they stay within 32 MB.
pub(crate) fn head_rows(vocab: usize) -> usize {
    (8_000_000 / vocab.max(1)).clamp(16, 1024)
}
