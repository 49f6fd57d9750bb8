//! From lengths as written to sequences and optimizer steps: the one place where rounding happens.

use llmp_stdlib::arg::BatchSize;

/// Positions of a micro-batch: large enough for full-speed matrix products, small enough for memory.
const MICRO_POSITIONS: u64 = 2048;

/// Default batch bounds, in tokens.
const SMALLEST_BATCH: u64 = 2 * 1024;
const LARGEST_BATCH: u64 = 512 * 1024;

/// How long a stage is, as written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// Tokens consumed.
    Tokens(u64),
    /// Optimizer steps.
    Steps(u64),
    /// Passes over the only source.
    Epochs(f64),
}

/// A stage in whole sequences and steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Positions of a sequence.
    pub context: u64,
    /// Sequences of a whole batch.
    pub rows: u64,
    /// Sequences of the stage; the last batch may be short.
    pub sequences: u64,
}

impl Budget {
    /// Resolves a stage. `available` is the number of tokens of its only source, which epochs need.
    ///
    /// A batch in tokens becomes the nearest whole number of sequences, at least one; so does the stage.
    /// `None` when the goal counts epochs and `available` is not known.
    pub fn new(goal: Goal, batch: Option<BatchSize>, context: u64, available: Option<u64>) -> Option<Budget> {
        let context = context.max(1);
        let tokens = match goal {
            Goal::Tokens(tokens) => Some(tokens),
            Goal::Epochs(epochs) => Some((epochs * available? as f64).round() as u64),
            Goal::Steps(_) => None,
        };
        let rows = match batch {
            Some(BatchSize::Sequences(rows)) => rows.max(1),
            Some(BatchSize::Tokens(size)) => nearest(size, context),
            None => nearest(default_batch(tokens), context),
        };
        let sequences = match goal {
            Goal::Steps(steps) => steps.max(1).saturating_mul(rows),
            Goal::Tokens(_) | Goal::Epochs(_) => nearest(tokens.unwrap_or_default(), context),
        };
        Some(Budget { context, rows, sequences })
    }

    /// Optimizer steps.
    pub fn steps(&self) -> u64 {
        self.sequences.div_ceil(self.rows)
    }

    /// Tokens consumed by the whole stage.
    pub fn tokens(&self) -> u64 {
        self.sequences.saturating_mul(self.context)
    }

    /// Tokens of a whole batch.
    pub fn batch_tokens(&self) -> u64 {
        self.rows.saturating_mul(self.context)
    }
}

fn nearest(tokens: u64, context: u64) -> u64 {
    (tokens.saturating_add(context / 2) / context).max(1)
}

/// The batch of a stage that does not name one: the power of two nearest to 1/2000 of its tokens, from 2Ki to
/// 512Ki tokens; 8Ki tokens where the length is given in steps.
pub fn default_batch(tokens: Option<u64>) -> u64 {
    let Some(tokens) = tokens else { return 8 * 1024 };
    let wanted = (tokens / 2000).clamp(SMALLEST_BATCH, LARGEST_BATCH);
    let below = 1u64 << wanted.ilog2();
    // Nearest by ratio: above the geometric mean of its neighbours the larger one is nearer.
    if (wanted as u128).pow(2) > 2 * (below as u128).pow(2) { below * 2 } else { below }
}

/// Sequences that go through the model at once: batches are cut evenly into the fewest micro-batches of at most
/// 2,048 positions (one sequence where it is longer). Depends on context and batch only, never on threads or
/// memory, so the order of sums is that of the stage.
pub fn micro_rows(rows: u64, context: u64) -> u64 {
    let most = (MICRO_POSITIONS / context.max(1)).max(1);
    rows.div_ceil(rows.div_ceil(most).max(1)).max(1)
}

/// The peak learning rate of a stage that names no schedule: 3e-3 at width 128, falling with width to the power
/// of 3/4, rounded to two digits (2.2e-3 at 192, 7.8e-4 at 768, 2.2e-4 at 4096).
pub fn default_peak(width: u64) -> llmp_stdlib::Rational {
    // Roots are exact to the last bit on every machine; a power is not.
    let ratio = (128.0 / width.max(1) as f64).sqrt();
    let peak = (3e-3 * ratio * ratio.sqrt()).min(3e-3);
    let digits = (-peak.log10()).floor() as u32 + 2;
    let scale = 10i128.pow(digits.min(18));
    llmp_stdlib::Rational::new((peak * scale as f64).round() as i128, scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_round_to_sequences_and_the_last_batch_may_be_short() {
        let budget = Budget::new(Goal::Tokens(10_000), Some(BatchSize::Tokens(1_000)), 256, None).unwrap();
        assert_eq!((budget.rows, budget.sequences, budget.steps()), (4, 39, 10));
        assert_eq!(budget.tokens(), 39 * 256);
    }

    #[test]
    fn steps_and_epochs_are_goals() {
        let budget = Budget::new(Goal::Steps(7), Some(BatchSize::Sequences(3)), 64, None).unwrap();
        assert_eq!((budget.sequences, budget.steps()), (21, 7));
        assert_eq!(Budget::new(Goal::Epochs(2.0), None, 64, None), None);
        assert_eq!(Budget::new(Goal::Epochs(2.0), None, 64, Some(6_400)).unwrap().sequences, 200);
    }

    #[test]
    fn default_batches_grow_with_the_budget() {
        let of = |tokens| default_batch(Some(tokens));
        assert_eq!(
            [of(10_000), of(4_000_000), of(10_000_000), of(15_600_000_000_000)],
            [2048, 2048, 4096, 524_288]
        );
        assert_eq!(of(12_000_000), 8192, "6,000 is nearer to 8,192 by ratio");
    }

    #[test]
    fn micro_batches_are_even() {
        assert_eq!(
            [micro_rows(8, 256), micro_rows(9, 256), micro_rows(17, 256), micro_rows(3, 4096)],
            [8, 5, 6, 1]
        );
    }

    #[test]
    fn peaks_fall_with_width() {
        let of = |width| llmp_stdlib::number::show(default_peak(width));
        assert_eq!([of(64), of(192), of(768), of(4096)], ["0.003", "0.0022", "0.00078", "0.00022"]);
    }
}
