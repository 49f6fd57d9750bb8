//! Soft labels by the strength of a preference, with graded heads (F22d; AFM, section 4.2.1).
//!
//! `-p log σ(r+ - r-) - (1 - p) log σ(r- - r+) + λ Σ_g [CE(u_g(y+), z+_g) + CE(u_g(y-), z-_g)]`: p by the strength, g the grades that
//! the data have, u the logits of a head's classes.

use super::{log_sigmoid, sigmoid};

/// The loss of the two rewards, and its slopes by them; `p` is the probability that the chosen answer is better.
pub fn soft_labels(chosen: f64, rejected: f64, p: f64) -> (f64, [f64; 2]) {
    let h = chosen - rejected;
    let slope = sigmoid(h) - p;
    (-p * log_sigmoid(h) - (1.0 - p) * log_sigmoid(-h), [slope, -slope])
}

/// The logits of one head for one answer with the true class.
#[derive(Debug, Clone, Copy)]
pub struct Graded<'a> {
    /// One logit a class.
    pub logits: &'a [f32],
    /// The class that people gave.
    pub class: usize,
}

impl Graded<'_> {
    /// The cross-entropy, and its slopes by the logits.
    pub fn cross_entropy(&self) -> (f64, Vec<f64>) {
        let top = self.logits.iter().fold(f64::NEG_INFINITY, |m, x| m.max(f64::from(*x)));
        let exps: Vec<f64> = self.logits.iter().map(|x| (f64::from(*x) - top).exp()).collect();
        let total: f64 = exps.iter().sum();
        let own = |at: usize| f64::from(u8::from(at == self.class));
        let slopes = exps.iter().enumerate().map(|(at, e)| e / total - own(at)).collect();
        let logit = self.logits.get(self.class).map_or(f64::NEG_INFINITY, |x| f64::from(*x));
        (top + total.ln() - logit, slopes)
    }
}
