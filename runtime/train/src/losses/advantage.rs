//! How much better an answer is than expected: advantages from rewards.

/// Each reward against the mean of the others of its group (F30; RLOO, Ahmadian et al. 2024; AFM's MDLOO).
pub fn leave_one_out(rewards: &[f64]) -> Vec<f64> {
    let sum: f64 = rewards.iter().sum();
    let others = (rewards.len().max(2) - 1) as f64;
    rewards.iter().map(|r| if rewards.len() < 2 { 0.0 } else { r - (sum - r) / others }).collect()
}

/// What keeps a group of equal rewards from a division by 0; TRL's number.
const LEAST: f64 = 1e-4;

/// Each reward against the mean of its group, by the group's standard deviation (F33; GRPO, Shao et al. 2024) or not (Dr. GRPO,
/// Liu et al. 2025). The deviation is the unbiased one, plus 1e-4, as in TRL.
pub fn group(rewards: &[f64], scaled: bool) -> Vec<f64> {
    let n = rewards.len() as f64;
    let mean = rewards.iter().sum::<f64>() / n.max(1.0);
    let squares: f64 = rewards.iter().map(|r| (r - mean).powi(2)).sum();
    let deviation = (squares / (n - 1.0).max(1.0)).sqrt();
    rewards.iter().map(|r| (r - mean) / if scaled { deviation + LEAST } else { 1.0 }).collect()
}

/// A running mean of all rewards (F29; Williams 1992).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Baseline {
    /// The mean so far; none before the first rewards.
    pub mean: Option<f64>,
}

impl Baseline {
    /// Each reward against the mean of the rewards before; then takes these in. The first rewards are compared with their own mean.
    pub fn advantages(&mut self, rewards: &[f64], decay: f64) -> Vec<f64> {
        if rewards.is_empty() {
            return Vec::new();
        }
        let here = rewards.iter().sum::<f64>() / rewards.len() as f64;
        let before = self.mean.unwrap_or(here);
        self.mean = Some(decay * before + (1.0 - decay) * here);
        rewards.iter().map(|r| r - before).collect()
    }
}
