//! What a decoder is: its sizes, the problems they can have, its parameters in canonical order and its costs.

mod architecture;
mod cost;
mod foreign;
mod params;
#[cfg(test)]
mod published;
mod tensors;

pub use architecture::{Activation, Architecture, ExpertForm, FeedForward, NormForm, Order, Reach};
pub use cost::Pass;
#[cfg(feature = "kernels")]
pub(crate) use cost::head_rows;
pub use foreign::Family;
pub use params::ParamInfo;
pub use tensors::{Part, Role, Tensor};

use serde::{Deserialize, Serialize};

/// No size of a model is larger, so that counts of parameters and FLOPs fit their integers.
const LARGEST: usize = 1 << 22;

/// No model is deeper, for the same reason.
const MOST_LAYERS: usize = 1 << 12;

/// A Llama-style decoder: RMSNorm before attention and feed-forward, rotary positions, grouped queries,
/// SwiGLU, an output head that may share the embedding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecoderSpec {
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
    /// Hidden units of the feed-forward.
    pub ffn_hidden: usize,
    /// Added to the mean square under the root of RMSNorm.
    pub norm_eps: f64,
    /// Base of the rotary frequencies.
    pub rope_base: f64,
    /// Whether the output head is the embedding.
    pub tied: bool,
    /// Positions.
    pub context: usize,
    /// Standard deviation of initial matrices.
    pub init_std: f64,
}

impl DecoderSpec {
    /// Every contradiction, in words that name both sides; empty when the spec can be built.
    pub fn validate(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let sizes = [
            ("vocab", self.vocab),
            ("layers", self.layers),
            ("width", self.width),
            ("heads", self.heads),
            ("kv_heads", self.kv_heads),
            ("head_dim", self.head_dim),
            ("ffn_hidden", self.ffn_hidden),
            ("context", self.context),
        ];
        for (name, size) in sizes {
            if size == 0 {
                problems.push(format!("`{name}` is 0"));
            } else if size > LARGEST {
                problems.push(format!("`{name}` is {size}, more than {LARGEST}"));
            }
        }
        if self.layers > MOST_LAYERS {
            problems.push(format!("`layers` is {}, more than {MOST_LAYERS}", self.layers));
        }
        if self.heads.saturating_mul(self.head_dim) > LARGEST {
            problems.push(format!(
                "heads ({}) times head_dim ({}) is more than {LARGEST}",
                self.heads, self.head_dim
            ));
        }
        if self.kv_heads != 0 && !self.heads.is_multiple_of(self.kv_heads) {
            problems.push(format!("kv_heads ({}) does not divide heads ({})", self.kv_heads, self.heads));
        }
        if !self.head_dim.is_multiple_of(2) {
            problems.push(format!("head_dim ({}) is odd, rotary positions turn pairs", self.head_dim));
        }
        if !(self.norm_eps.is_finite() && self.norm_eps > 0.0) {
            problems.push(format!("norm eps is {}, it must be above 0", self.norm_eps));
        }
        if !(self.rope_base.is_finite() && self.rope_base > 1.0) {
            problems.push(format!("the rotary base is {}, it must be above 1", self.rope_base));
        }
        if !(self.init_std.is_finite() && self.init_std >= 0.0) {
            problems.push(format!("the initial standard deviation is {}", self.init_std));
        }
        problems
    }

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
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A small decoder with grouped queries, odd sizes and a head width that `width / heads` is not.
    pub(crate) fn tiny() -> DecoderSpec {
        DecoderSpec {
            vocab: 61,
            layers: 2,
            width: 20,
            heads: 4,
            kv_heads: 2,
            head_dim: 6,
            ffn_hidden: 27,
            norm_eps: 1e-5,
            rope_base: 10_000.0,
            tied: true,
            context: 48,
            init_std: 0.02,
        }
    }

    #[test]
    fn a_good_spec_has_no_problem() {
        assert!(tiny().validate().is_empty());
    }

    #[test]
    fn every_problem_is_reported_at_once() {
        let bad = DecoderSpec { kv_heads: 3, head_dim: 7, layers: 0, rope_base: 1.0, ..tiny() };
        let problems = bad.validate();
        assert_eq!(problems.len(), 4, "{problems:?}");
        assert!(problems.contains(&"kv_heads (3) does not divide heads (4)".to_owned()));
    }
}
