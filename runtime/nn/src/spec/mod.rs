//! What a decoder is: its sizes, the problems they can have, its parameters in canonical order and its costs.

mod architecture;
mod cost;
mod foreign;
mod layers;
mod params;
mod parts;
#[cfg(test)]
mod published;
mod tensors;

pub use architecture::Architecture;
pub use cost::Pass;
#[cfg(feature = "kernels")]
pub(crate) use cost::head_rows;
pub use foreign::Family;
pub use layers::Layers;
pub use params::ParamInfo;
pub use parts::{Activation, ChunkForm, ExpertForm, FeedForward, NormForm, Order, Reach, Rotary, Stretch};
pub use tensors::{Part, Role, Tensor};

/// No size of a model is larger, so that counts of parameters and FLOPs fit their integers.
const LARGEST: usize = 1 << 22;

/// No model is deeper, for the same reason.
const MOST_LAYERS: usize = 1 << 12;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A small decoder with grouped queries, odd sizes and a head width that `width / heads` is not.
    pub(crate) fn tiny() -> Architecture {
        let plain = Architecture::default();
        Architecture {
            vocab: 61,
            layers: 2,
            width: 20,
            heads: 4,
            kv_heads: 2,
            head_dim: 6,
            ffn: FeedForward { hidden: 27, ..plain.ffn },
            tied: true,
            context: 48,
            ..plain
        }
    }

    #[test]
    fn a_good_spec_has_no_problem() {
        assert!(tiny().validate().is_empty());
        assert_eq!(Architecture::default().validate().len(), 8, "no sizes");
    }

    #[test]
    fn every_problem_is_reported_at_once() {
        let order = Order::Rotary(Rotary { base: 1.0, stretch: Stretch::None, chunks: None });
        let bad = Architecture { kv_heads: 3, head_dim: 7, layers: 0, order, dropout: 1.0, ..tiny() };
        let problems = bad.validate();
        assert_eq!(problems.len(), 5, "{problems:?}");
        assert!(problems.contains(&"kv_heads (3) does not divide heads (4)".to_owned()));
    }
}
