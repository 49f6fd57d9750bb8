//! KTO (F50; Ethayarajh et al. 2024): single answers that are wanted or not.
//!
//! With `r = log π(y) - log π_ref(y)`: wanted `λ_D (1 - σ(β (r - z)))`, unwanted `λ_U (1 - σ(β (z - r)))`, mean over the answers of a
//! batch. The reference point z estimates the divergence from the reference: the mean of r over answers to other prompts of the
//! batch, at least 0 and without a gradient. It belongs to the whole batch: TRL takes that of each micro-batch.

use super::{Side, sigmoid};
use crate::kinds::prefer::Kto;

/// An answer with its label.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Labelled {
    /// The answer.
    pub answer: Side,
    /// Whether it is wanted.
    pub wanted: bool,
}

/// The loss of an answer, and its slope by the sum of log-probabilities.
pub fn kto(settings: &Kto, one: &Labelled, reference_point: f64) -> (f64, f64) {
    let gain = settings.beta * (one.answer.gain() - reference_point);
    let (weight, sign) = if one.wanted { (settings.wanted, 1.0) } else { (settings.unwanted, -1.0) };
    let s = sigmoid(sign * gain);
    (weight * (1.0 - s), -sign * weight * settings.beta * s * (1.0 - s))
}

/// The reference point, from the answers of a batch that were put to other prompts.
pub fn reference_point(mismatched: &[Side]) -> f64 {
    let sum: f64 = mismatched.iter().map(Side::gain).sum();
    (sum / mismatched.len().max(1) as f64).max(0.0)
}
