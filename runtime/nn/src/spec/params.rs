//! The parameters of a decoder: names by the block tree, shapes, in the one canonical order.

use super::DecoderSpec;

/// One parameter as optimizers, checkpoints and exports see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamInfo {
    /// Path in the tree of blocks, for example `blocks.0.attention.q`.
    pub name: String,
    /// Shape; matrices are `[outputs, inputs]`, row-major.
    pub shape: Vec<usize>,
    /// Whether weight decay applies by default: to matrices, not to gains.
    pub decay: bool,
}

impl ParamInfo {
    /// Number of elements.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }
}

impl DecoderSpec {
    /// Embedding, blocks, final norm, head (unless tied). Every flat view of a model follows this order.
    pub fn params(&self) -> Vec<ParamInfo> {
        let matrix =
            |name: String, out: usize, inp: usize| ParamInfo { name, shape: vec![out, inp], decay: true };
        let gain = |name: String| ParamInfo { name, shape: vec![self.width], decay: false };
        let mut all = vec![matrix("embedding".into(), self.vocab, self.width)];
        for b in 0..self.layers {
            let at = |leaf: &str| format!("blocks.{b}.{leaf}");
            all.extend([
                gain(at("attention.norm")),
                matrix(at("attention.q"), self.query_width(), self.width),
                matrix(at("attention.k"), self.kv_width(), self.width),
                matrix(at("attention.v"), self.kv_width(), self.width),
                matrix(at("attention.o"), self.width, self.query_width()),
                gain(at("ffn.norm")),
                matrix(at("ffn.gate"), self.ffn_hidden, self.width),
                matrix(at("ffn.up"), self.ffn_hidden, self.width),
                matrix(at("ffn.down"), self.width, self.ffn_hidden),
            ]);
        }
        all.push(gain("norm".into()));
        if !self.tied {
            all.push(matrix("head".into(), self.vocab, self.width));
        }
        all
    }
}
