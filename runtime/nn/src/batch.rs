//! What one forward pass eats: rows of token ids with targets and document ranges, checked before any kernel runs.

use crate::{Architecture, NnError};

/// The target of a position that does not count.
pub const IGNORE: u32 = u32::MAX;

/// Rows of equal length. All vectors are row-major and hold `rows * length` entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MicroBatch {
    /// Sequences.
    pub rows: usize,
    /// Positions of each sequence.
    pub length: usize,
    /// Token ids.
    pub inputs: Vec<u32>,
    /// The id to predict at each position, or [`IGNORE`].
    pub targets: Vec<u32>,
    /// For each position the index, in its row, of the first token of its document: attention of position
    /// `i` covers `doc_start[i]..=i`. Never falls along a row. RoPE positions run on across documents.
    pub doc_start: Vec<u32>,
}

/// Sums over the targets that count (never means: the caller divides by the count of the whole batch).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LossSums {
    /// Sum of negative log-likelihoods, natural log.
    pub nll_sum: f64,
    /// Targets that were not [`IGNORE`].
    pub targets: u64,
    /// Sum of the squared logs of the softmax's denominator; 0 where no z-loss asks for it.
    pub z_sum: f64,
}

impl std::ops::AddAssign for LossSums {
    fn add_assign(&mut self, other: Self) {
        self.nll_sum += other.nll_sum;
        self.targets += other.targets;
        self.z_sum += other.z_sum;
    }
}

impl MicroBatch {
    /// One row that is one document: position `i` predicts token `i + 1`.
    pub fn document(ids: &[u32]) -> Self {
        let length = ids.len().saturating_sub(1);
        Self {
            rows: 1,
            length,
            inputs: ids[..length].to_vec(),
            targets: ids.get(1..).unwrap_or_default().to_vec(),
            doc_start: vec![0; length],
        }
    }

    /// Number of positions.
    pub fn positions(&self) -> usize {
        self.rows * self.length
    }

    /// Number of targets that count.
    pub fn counted(&self) -> u64 {
        self.targets.iter().filter(|&&t| t != IGNORE).count() as u64
    }

    /// Checks sizes, ids and document ranges against the model; kernels rely on it.
    pub fn validate(&self, spec: &Architecture, op: &'static str) -> Result<(), NnError> {
        let n = self.positions();
        let sizes = [
            ("inputs", self.inputs.len()),
            ("targets", self.targets.len()),
            ("doc_start", self.doc_start.len()),
        ];
        for (name, len) in sizes {
            if len != n {
                return Err(NnError::Mismatch {
                    op,
                    left_name: name.into(),
                    left: len,
                    right_name: format!("a batch of {} rows of {}", self.rows, self.length),
                    right: n,
                });
            }
        }
        if self.length > spec.context {
            return Err(NnError::Context { op, length: self.length, context: spec.context });
        }
        check_ids(op, &self.inputs, self.length, spec.vocab, false)?;
        check_ids(op, &self.targets, self.length, spec.vocab, true)?;
        self.check_documents(op)
    }

    fn check_documents(&self, op: &'static str) -> Result<(), NnError> {
        if self.length == 0 {
            return Ok(());
        }
        for (row, starts) in self.doc_start.chunks_exact(self.length).enumerate() {
            let mut last = 0;
            for (position, &start) in starts.iter().enumerate() {
                if start as usize > position || start < last {
                    let reason = format!(
                        "doc_start is {start} at row {row}, position {position}; it must not exceed the \
                         position nor fall below the one before it ({last})"
                    );
                    return Err(NnError::Input { op, reason });
                }
                last = start;
            }
        }
        Ok(())
    }
}

/// Every id below `vocab`, but [`IGNORE`] where that is allowed.
pub(crate) fn check_ids(
    op: &'static str,
    ids: &[u32],
    length: usize,
    vocab: usize,
    ignore: bool,
) -> Result<(), NnError> {
    match ids.iter().position(|&id| id as usize >= vocab && !(ignore && id == IGNORE)) {
        None => Ok(()),
        Some(at) => {
            let (row, position) = (at / length.max(1), at % length.max(1));
            Err(NnError::TokenId { op, id: ids[at], row, position, vocab })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tests::tiny;

    fn batch() -> MicroBatch {
        MicroBatch {
            rows: 2,
            length: 3,
            inputs: vec![1, 2, 3, 4, 5, 6],
            targets: vec![2, IGNORE, 4, 5, 6, 7],
            doc_start: vec![0, 1, 1, 0, 0, 2],
        }
    }

    #[test]
    fn a_good_batch_passes() {
        assert!(batch().validate(&tiny(), "test").is_ok());
        assert_eq!(batch().counted(), 5);
    }

    #[test]
    fn an_id_beyond_the_vocabulary_is_named_with_its_place() {
        let mut b = batch();
        b.inputs[4] = 900;
        let text = b.validate(&tiny(), "train").expect_err("bad id").to_string();
        assert_eq!(text, "train: token id 900 at row 1, position 1, but the vocabulary has 61 entries");
        let mut b = batch();
        b.targets[0] = 61;
        assert!(b.validate(&tiny(), "train").is_err());
        let mut b = batch();
        b.inputs[0] = IGNORE;
        assert!(b.validate(&tiny(), "train").is_err(), "inputs cannot be ignored");
    }

    #[test]
    fn bad_sizes_and_ranges_are_errors() {
        let mut b = batch();
        b.targets.pop();
        assert!(b.validate(&tiny(), "t").expect_err("short").to_string().contains("targets has 5"));
        for (at, start) in [(0, 1), (2, 0), (5, 3)] {
            let mut b = batch();
            b.doc_start[at] = start;
            assert!(b.validate(&tiny(), "t").is_err(), "doc_start[{at}] = {start}");
        }
        let long = MicroBatch::document(&[1; 50]);
        assert!(matches!(long.validate(&tiny(), "t"), Err(NnError::Context { length: 49, .. })));
    }
}
