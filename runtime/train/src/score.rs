//! Log-probabilities of a text under a model.

use rayon::prelude::*;
use serde::Serialize;

use crate::error::{Result, TrainError};
use crate::folder::ModelFolder;

/// The score of a text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Score {
    /// Token ids, special tokens of the tokenizer's post-processor included.
    pub tokens: Vec<u32>,
    /// Natural log of the probability of each token after the first.
    pub logprobs: Vec<f32>,
    /// Mean of the negated log-probabilities, in nats a token.
    pub nll: f64,
    /// `exp(nll)`.
    pub perplexity: f64,
}

/// Scores a text. See [`score_tokens`] for texts that are longer than the model's context.
///
/// Errors: a text of fewer than two tokens, which has nothing to score.
pub fn score(folder: &ModelFolder, text: &str) -> Result<Score> {
    score_tokens(folder, folder.vocabulary.encode(text)?)
}

/// Scores token ids.
///
/// A text of at most `context` tokens is scored whole. A longer one is scored in windows of `context` tokens that
/// advance by half of it; each token is scored once, in the first window that holds it, so with at least half a
/// context before it.
pub fn score_tokens(folder: &ModelFolder, tokens: Vec<u32>) -> Result<Score> {
    if tokens.len() < 2 {
        let message = format!("the text has {} tokens; the first is never scored", tokens.len());
        return Err(TrainError::Settings(message));
    }
    let windows = windows(tokens.len(), folder.model.spec().context);
    let parts = windows.par_iter().map(|w| {
        let logprobs = folder.model.token_logprobs(&tokens[w.start..w.end])?;
        // Entry `i` belongs to token `start + i + 1`.
        Ok(logprobs[w.scored - w.start - 1..].to_vec())
    });
    let logprobs = parts.collect::<Result<Vec<_>>>()?.concat();
    let nll = -logprobs.iter().map(|&x| f64::from(x)).sum::<f64>() / logprobs.len() as f64;
    Ok(Score { tokens, logprobs, nll, perplexity: nll.exp() })
}

/// A window over positions `start..end`, of which `scored..end` are scored in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    start: usize,
    end: usize,
    scored: usize,
}

fn windows(length: usize, context: usize) -> Vec<Window> {
    let context = context.max(2);
    let stride = (context / 2).max(1);
    let mut windows = vec![Window { start: 0, end: length.min(context), scored: 1 }];
    let mut last = windows[0];
    while last.end < length {
        let start = last.start + stride;
        last = Window { start, end: length.min(start + context), scored: last.end };
        windows.push(last);
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_after_the_first_is_scored_once() {
        for (length, context) in [(2, 8), (8, 8), (9, 8), (100, 8), (101, 7), (5, 2)] {
            let windows = windows(length, context);
            let mut next = 1;
            for w in &windows {
                assert_eq!(w.scored, next, "{length} {context}");
                assert!(w.end - w.start <= context && w.scored > w.start && w.end > w.scored);
                assert!(w.start == 0 || w.scored - w.start >= context / 2);
                next = w.end;
            }
            assert_eq!(next, length);
        }
    }
}
