//! Ranking of rewards: Bradley-Terry (F22a), with a margin (F22b; Llama 2), three answers in order (F22c; Llama 3.1).

use super::{log_sigmoid, sigmoid};

/// `-log σ(r+ - r- - margin)`, and its slopes by both rewards.
pub fn bradley_terry(chosen: f64, rejected: f64, margin: f64) -> (f64, [f64; 2]) {
    let h = chosen - rejected - margin;
    let slope = -sigmoid(-h);
    (-log_sigmoid(h), [slope, -slope])
}

/// Edited > chosen > rejected: the sum of Bradley-Terry over the three ordered pairs, and its slopes in this order.
///
/// Llama 3.1 publishes the order only; a Plackett-Luce loss would be another reading. The margin belongs to chosen and rejected.
pub fn ranked(edited: f64, chosen: f64, rejected: f64, margin: f64) -> (f64, [f64; 3]) {
    let (first, [a, b]) = bradley_terry(edited, chosen, 0.0);
    let (second, [c, d]) = bradley_terry(edited, rejected, 0.0);
    let (third, [e, f]) = bradley_terry(chosen, rejected, margin);
    (first + second + third, [a + c, b + e, d + f])
}
