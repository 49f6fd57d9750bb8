//! Losses of reinforcement learning over the tokens of sampled answers: policy gradient, clipped ratios, mirror descent, and a
//! penalty for leaving a reference. Each gives the loss of one answer and adds its slopes by the log-probabilities.

/// A sampled answer. All lists have one number a token.
#[derive(Debug, Clone, Copy)]
pub struct Sampled<'a> {
    /// Log-probabilities of the policy that is trained.
    pub now: &'a [f32],
    /// Those of the policy that sampled.
    pub then: &'a [f32],
    /// How much better the answer is than expected.
    pub advantage: f64,
}

/// How the losses of tokens become that of a batch (F33).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Aggregate {
    /// The mean over answers of the mean over their tokens (GRPO as published).
    Sequence,
    /// One mean over all tokens of the batch (DAPO).
    Token,
    /// The sum over all tokens by answers times the longest length that is allowed (Dr. GRPO).
    Longest(f64),
}

/// What one answer knows of its whole batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answers {
    /// Answers of the batch.
    pub count: f64,
    /// Their tokens.
    pub tokens: f64,
}

impl Aggregate {
    /// What every token of an answer of so many weighs in the batch.
    pub fn weight(self, tokens: usize, batch: Answers) -> f64 {
        match self {
            Aggregate::Sequence => 1.0 / (batch.count * tokens.max(1) as f64),
            Aggregate::Token => 1.0 / batch.tokens.max(1.0),
            Aggregate::Longest(most) => 1.0 / (batch.count * most.max(1.0)),
        }
    }
}

impl Sampled<'_> {
    /// The log-ratio of the whole answer.
    fn log_ratio(&self) -> f64 {
        self.now.iter().zip(self.then).map(|(now, then)| f64::from(*now) - f64::from(*then)).sum()
    }

    /// The plain policy gradient (F29; REINFORCE, Williams 1992): `-A log π(y)`, the answer as one action, mean over answers.
    pub fn policy_gradient(&self, batch: Answers, slopes: &mut [f32]) -> f64 {
        let weight = 1.0 / batch.count;
        slopes.iter_mut().for_each(|slope| *slope -= (weight * self.advantage) as f32);
        -weight * self.advantage * self.now.iter().map(|p| f64::from(*p)).sum::<f64>()
    }

    /// Clipped ratios of tokens (F32; PPO, Schulman et al. 2017; F33): `-min(ρ A, clip(ρ, 1 - low, 1 + high) A)`, ρ the ratio to
    /// the policy that sampled. A token whose ratio is cut off has no gradient.
    pub fn clipped(
        &self,
        (low, high): (f64, f64),
        aggregate: Aggregate,
        batch: Answers,
        slopes: &mut [f32],
    ) -> f64 {
        let weight = aggregate.weight(self.now.len(), batch);
        let mut loss = 0.0;
        for ((now, then), slope) in self.now.iter().zip(self.then).zip(slopes) {
            let ratio = (f64::from(*now) - f64::from(*then)).exp();
            let (free, cut) = (ratio * self.advantage, ratio.clamp(1.0 - low, 1.0 + high) * self.advantage);
            loss -= free.min(cut);
            if free <= cut {
                *slope -= (weight * free) as f32;
            }
        }
        weight * loss
    }

    /// Mirror descent (F31; AFM's MDLOO): `-ρ A + γ ρ log ρ`, ρ the ratio of the whole answer to the policy that sampled, mean over
    /// answers; no clipping. On samples of that policy `ρ log ρ` estimates the divergence `KL(π || π_then)` without bias.
    pub fn mirror_descent(&self, kl: f64, batch: Answers, slopes: &mut [f32]) -> f64 {
        let (weight, log_ratio) = (1.0 / batch.count, self.log_ratio());
        let ratio = log_ratio.exp();
        let slope = weight * ratio * (kl * (log_ratio + 1.0) - self.advantage);
        slopes.iter_mut().for_each(|all| *all += slope as f32);
        weight * ratio * (kl * log_ratio - self.advantage)
    }
}

/// A penalty in the loss for leaving a reference (F33; k3 of Schulman 2020): `w (e^u - u - 1)` a token, u = log π_ref - log π.
///
/// On samples of the policy its value estimates `KL(π || π_ref)` without bias; its gradient there is that of `KL(π_ref || π)`.
pub fn k3(
    (now, reference): (&[f32], &[f32]),
    weight: f64,
    aggregate: Aggregate,
    batch: Answers,
    slopes: &mut [f32],
) -> f64 {
    let weight = weight * aggregate.weight(now.len(), batch);
    let mut loss = 0.0;
    for ((now, reference), slope) in now.iter().zip(reference).zip(slopes) {
        let u = f64::from(*reference) - f64::from(*now);
        loss += u.exp() - u - 1.0;
        *slope += (weight * (1.0 - u.exp())) as f32;
    }
    weight * loss
}
