//! Losses of post-training: each a value with its slopes, one file each with its formula and source.
//!
//! All are functions of log-probabilities (or rewards) that the model gave; `llmp_nn::Model::weigh_and_grads` turns slopes by
//! log-probabilities into gradients. Sums are in f64.

pub mod advantage;
mod bradley_terry;
mod dpo;
mod hinge;
mod ipo;
mod kto;
mod orpo;
pub mod policy;
mod simpo;
mod soft_labels;
mod written;

pub use bradley_terry::{bradley_terry, ranked};
pub use kto::{Labelled, kto, reference_point};
pub use soft_labels::{Graded, soft_labels};
pub use written::{Expression, QUANTITIES};

use crate::kinds::prefer::PreferLoss;

/// One answer as a loss sees it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Side {
    /// Sum of the log-probabilities of its tokens that count.
    pub logp: f64,
    /// The same of the reference; 0 where there is none.
    pub reference: f64,
    /// How many tokens count.
    pub tokens: f64,
}

impl Side {
    /// Log-probability gained over the reference.
    fn gain(&self) -> f64 {
        self.logp - self.reference
    }

    /// Number of tokens to divide by.
    fn length(&self) -> f64 {
        self.tokens.max(1.0)
    }
}

/// Two answers to one prompt.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Pair {
    /// The better one.
    pub chosen: Side,
    /// The worse one.
    pub rejected: Side,
}

/// What the loss of one pair knows of its whole batch, however it is cut into micro-batches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Whole {
    /// Pairs.
    pub pairs: f64,
    /// Tokens of all chosen answers that count.
    pub chosen_tokens: f64,
}

/// The loss of a pair, and its slopes by the two sums of log-probabilities.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Slopes {
    /// The loss.
    pub loss: f64,
    /// Slope by the sum of the chosen answer.
    pub chosen: f64,
    /// Slope by the sum of the rejected answer.
    pub rejected: f64,
}

impl Slopes {
    /// A loss of the difference h between the two sides, each divided by its scale.
    fn of_difference(loss: f64, slope: f64, (chosen, rejected): (f64, f64)) -> Slopes {
        Slopes { loss, chosen: slope / chosen, rejected: -slope / rejected }
    }
}

/// A loss over pairs; its mean over the pairs of a batch is minimised.
pub trait PairLoss: std::fmt::Debug {
    /// The loss of one pair.
    fn of(&self, pair: &Pair, whole: &Whole) -> Slopes;
}

/// The loss over pairs that a stage names; `kto` has none, it learns from single answers.
///
/// Errors: an expression that is no number over the quantities of a pair.
pub fn pair_loss(loss: &PreferLoss) -> Result<Option<Box<dyn PairLoss>>, String> {
    Ok(Some(match loss {
        PreferLoss::Dpo(it) => Box::new(it.clone()),
        PreferLoss::Hinge(it) => Box::new(it.clone()),
        PreferLoss::Ipo(it) => Box::new(it.clone()),
        PreferLoss::Orpo(it) => Box::new(it.clone()),
        PreferLoss::Simpo(it) => Box::new(it.clone()),
        PreferLoss::Written(it) => Box::new(Expression::new(&it.expression.0)?),
        PreferLoss::Kto(_) => return Ok(None),
    }))
}

/// 1 / (1 + e^-x).
pub(crate) fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 { 1.0 / (1.0 + (-x).exp()) } else { x.exp() / (1.0 + x.exp()) }
}

/// log(sigmoid(x)), exact where the sigmoid would underflow.
pub(crate) fn log_sigmoid(x: f64) -> f64 {
    x.min(0.0) - (-x.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests;
