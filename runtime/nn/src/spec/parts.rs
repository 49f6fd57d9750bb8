//! Settings of the parts of a decoder.

use serde::{Deserialize, Serialize};

/// How a feed-forward bends its hidden units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FeedForward {
    /// How its hidden units are bent.
    pub activation: Activation,
    /// Whether a second matrix gates them.
    pub gated: bool,
    /// Hidden units.
    pub hidden: usize,
}

/// A norm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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
    /// Whether the probabilities of the chosen experts are scaled to sum to one.
    pub renormalise: bool,
    /// Weight of the loss that balances the load.
    pub balance: f64,
}

/// How a model knows the order of its tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// By a table of positions that is learned.
    Table,
    /// By turning queries and keys.
    Rotary(Rotary),
    /// Not at all.
    None,
}

/// Rotary positions: pair `i` of a head turns by `position * base^(-2i / head_dim)` (Su et al. 2021).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rotary {
    /// Base of the frequencies, after a law that changes it.
    pub base: f64,
    /// How the frequencies of the base are changed.
    pub stretch: Stretch,
    /// Attention in chunks beyond the trained length.
    pub chunks: Option<ChunkForm>,
}

/// A change of rotary frequencies for a longer context.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stretch {
    /// None.
    None,
    /// All wavelengths are longer by a factor.
    Linear {
        /// The factor.
        factor: f64,
    },
    /// Long wavelengths are stretched, short ones kept, those between blended (Llama 3.1).
    Llama3 {
        /// How far long wavelengths are stretched.
        factor: f64,
        /// Wavelengths longer than `original / low` are stretched wholly.
        low: f64,
        /// Wavelengths shorter than `original / high` are kept.
        high: f64,
        /// Positions before the stretching.
        original: usize,
    },
    /// Frequencies by parts and a temperature (YaRN).
    Yarn {
        /// How far long wavelengths are stretched.
        factor: f64,
        /// Positions before the stretching.
        original: usize,
        /// Turns over `original` above which a frequency is kept.
        fast: f64,
        /// Turns over `original` below which it is stretched wholly.
        slow: f64,
        /// What queries and keys are multiplied with.
        attention: f64,
    },
}

/// Dual chunk attention (An et al. 2024).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ChunkForm {
    /// Positions that the model was trained on.
    pub trained: usize,
    /// Positions of a chunk.
    pub chunk: usize,
}

impl ChunkForm {
    /// Up to this length the places of the chunks give what plain positions give. A norm after the turn sees places
    /// themselves, not only their distances.
    pub(crate) fn alike(&self, spec: &super::Architecture) -> usize {
        let sees = spec.qk_norm.is_some() && spec.qk_norm_place == crate::kinds::QkPlace::After;
        if sees { self.chunk } else { self.trained }
    }

    /// Place of a key, and of a query among the keys of its own chunk.
    pub(crate) fn own(&self, at: usize) -> usize {
        at % self.chunk
    }

    /// Place of a query among the keys of the chunk before its own.
    pub(crate) fn next(&self, at: usize) -> usize {
        (self.chunk + at % self.chunk).min(self.trained - 1)
    }

    /// Place of a query among the keys of all chunks before those.
    pub(crate) fn far(&self, _at: usize) -> usize {
        self.trained - 1
    }

    /// Where the chunk before a query's own begins, and its own.
    pub(crate) fn starts(&self, query: usize) -> [usize; 2] {
        let own = query / self.chunk * self.chunk;
        [own.saturating_sub(self.chunk), own]
    }

    /// The distance by which the score of a query and a key before it is turned.
    pub fn offset(&self, query: usize, key: usize) -> usize {
        let place = [self.own(query), self.next(query), self.far(query)][self.apart(query, key)];
        place - self.own(key)
    }

    /// Which of the three places of a query counts for a key before it: 0 own, 1 next, 2 far.
    pub(crate) fn apart(&self, query: usize, key: usize) -> usize {
        (query / self.chunk - key / self.chunk).min(2)
    }
}

/// How far the attention of a block reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// Everything before the token.
    Global,
    /// Everything before the token, without positions.
    GlobalWithoutOrder,
    /// So many positions.
    Window(usize),
}

impl Rotary {
    /// Every contradiction, in words.
    pub(super) fn validate(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !(self.base.is_finite() && self.base > 1.0) {
            problems.push(format!("the rotary base is {}, it must be above 1", self.base));
        }
        let good = match self.stretch {
            Stretch::None => true,
            Stretch::Linear { factor } => factor > 0.0,
            Stretch::Llama3 { factor, low, high, original } => {
                factor > 0.0 && low > 0.0 && high > low && original > 0
            }
            Stretch::Yarn { factor, original, fast, slow, attention } => {
                factor > 0.0 && original > 0 && fast > slow && slow > 0.0 && attention > 0.0
            }
        };
        if !good {
            problems.push(format!("the scaling of rotary positions contradicts itself: {:?}", self.stretch));
        }
        if let Some(ChunkForm { trained, chunk }) = self.chunks
            && (chunk == 0 || chunk > trained)
        {
            problems.push(format!("chunks of {chunk} positions of {trained} trained ones"));
        }
        problems
    }
}
