//! A few tokens with their weights for every position: what a teacher's distribution is cut down to.

use crate::NnError;

/// Rows of tokens and weights, one row for each position of a batch. Weights of a row add up to 1; an empty row says
/// nothing and belongs to a position that does not count.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Targets {
    /// Where each row ends.
    ends: Vec<usize>,
    ids: Vec<u32>,
    weights: Vec<f32>,
}

impl Targets {
    /// Appends a row.
    pub fn push(&mut self, row: impl IntoIterator<Item = (u32, f32)>) {
        for (id, weight) in row {
            self.ids.push(id);
            self.weights.push(weight);
        }
        self.ends.push(self.ids.len());
    }

    /// Appends all rows of others.
    pub fn extend(&mut self, others: &Targets) {
        (0..others.len()).for_each(|row| self.push(others.row(row)));
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Tokens of a row with their weights; panics when there is no such row, as a slice does.
    pub fn row(&self, row: usize) -> impl Iterator<Item = (u32, f32)> + '_ {
        let begin = if row == 0 { 0 } else { self.ends[row - 1] };
        let range = begin..self.ends[row];
        self.ids[range.clone()].iter().copied().zip(self.weights[range].iter().copied())
    }

    /// Checks sizes, ids and weights against a batch; kernels rely on it.
    pub(crate) fn validate(&self, op: &'static str, positions: usize, vocab: usize) -> Result<(), NnError> {
        if self.len() != positions {
            return Err(NnError::Mismatch {
                op,
                left_name: "what the teacher says".into(),
                left: self.len(),
                right_name: "the batch".into(),
                right: positions,
            });
        }
        crate::batch::check_ids(op, &self.ids, self.ids.len(), vocab, false)?;
        match self.weights.iter().find(|w| !(w.is_finite() && **w >= 0.0)) {
            None => Ok(()),
            Some(w) => Err(NnError::Input { op, reason: format!("a token of the teacher weighs {w}") }),
        }
    }

    /// All rows as one table of `vocab` columns.
    pub(super) fn dense(&self, vocab: usize) -> Vec<f32> {
        let mut table = vec![0.0; self.len() * vocab];
        for (row, line) in table.chunks_exact_mut(vocab).enumerate() {
            self.row(row).for_each(|(id, weight)| line[id as usize] += weight);
        }
        table
    }
}
