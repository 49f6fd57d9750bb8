//! Log-probabilities and logits of a text, with the numerics of decoding: a token's numbers do not depend on
//! what else is in the call.

use dfdx::prelude::Cpu;

use super::Model;
use crate::decode::Decoder;
use crate::kernels::rows::logsumexp_row;
use crate::{NnError, batch::check_ids};

/// Positions that are scored together.
const BLOCK: usize = 64;

impl Model<Cpu> {
    /// Natural log of the probability of each token after the first, given all before it.
    pub fn token_logprobs(&self, ids: &[u32]) -> Result<Vec<f32>, NnError> {
        const OP: &str = "score";
        check_ids(OP, ids, ids.len(), self.spec.vocab, false)?;
        let Some(inputs) = ids.len().checked_sub(1) else { return Ok(Vec::new()) };
        let mut decoder = Decoder::new(self);
        let mut all = Vec::with_capacity(inputs);
        for (start, block) in (0..).step_by(BLOCK).zip(ids[..inputs].chunks(BLOCK)) {
            let logits = decoder.extend(OP, 0, block)?;
            for (row, &target) in logits.chunks_exact(self.spec.vocab).zip(&ids[start + 1..]) {
                all.push(row[target as usize] - logsumexp_row(row));
            }
        }
        Ok(all)
    }

    /// Logits after every token: (tokens, vocab), row-major.
    pub fn logits(&self, ids: &[u32]) -> Result<Vec<f32>, NnError> {
        const OP: &str = "logits";
        check_ids(OP, ids, ids.len(), self.spec.vocab, false)?;
        let mut decoder = Decoder::new(self);
        let mut all = Vec::with_capacity(ids.len() * self.spec.vocab);
        for block in ids.chunks(BLOCK) {
            all.extend(decoder.extend(OP, 0, block)?);
        }
        Ok(all)
    }
}
