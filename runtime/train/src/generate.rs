//! Text from a model: token by token with a cache of keys and values.

use llmp_nn::Decoder;
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::error::{Result, TrainError};
use crate::folder::ModelFolder;

/// How a text is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// Most tokens to write.
    pub max_tokens: usize,
    /// Divides the logits; 0 always takes the likeliest token.
    pub temperature: f64,
    /// Draws among this many likeliest tokens.
    pub top_k: Option<usize>,
    /// Draws among the fewest likeliest tokens whose probabilities reach this sum, in (0, 1].
    pub top_p: Option<f64>,
    /// Equal seeds give equal texts.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Sampling { max_tokens: 200, temperature: 0.8, top_k: None, top_p: Some(0.95), seed: 0 }
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// Ids of the prompt.
    pub prompt: Vec<u32>,
    /// Ids that were written, without the end-of-text token.
    pub tokens: Vec<u32>,
    /// Prompt and new tokens as text, special tokens left out.
    pub text: String,
    /// The model ended the text by itself.
    pub ended: bool,
}

/// Continues a prompt. An empty one starts a new text, after the tokenizer's start token.
///
/// `heard` gets every new token id at once; it returns whether to go on. Past the model's context the last half of
/// it is kept. Errors: settings out of range, a prompt that cannot be encoded.
pub fn generate(
    folder: &ModelFolder,
    prompt: &str,
    sampling: &Sampling,
    heard: &mut dyn FnMut(u32) -> bool,
) -> Result<Generated> {
    sampling.check()?;
    let mut prompt = folder.vocabulary.encode(prompt)?;
    if prompt.is_empty() {
        let none = || {
            TrainError::Settings("the tokenizer has no token that starts a text; give a prompt".to_owned())
        };
        prompt.push(folder.vocabulary.start().ok_or_else(none)?.1);
    }
    let context = folder.model.spec().context;
    let mut random = ChaCha8Rng::seed_from_u64(sampling.seed);
    let mut decoder = Decoder::new(&folder.model);
    let mut all = prompt.clone();
    let mut ended = false;
    let mut logits = decoder.prefill(&all[all.len().saturating_sub(context)..])?;
    while all.len() - prompt.len() < sampling.max_tokens {
        let id = sampling.choose(&logits, &mut random);
        if folder.ends.contains(&id) {
            ended = true;
            break;
        }
        all.push(id);
        if !heard(id) || all.len() - prompt.len() == sampling.max_tokens {
            break;
        }
        logits = if decoder.length(0) < context {
            decoder.step(id)?
        } else {
            decoder.truncate(0, 0);
            decoder.prefill(&all[all.len() - (context / 2).max(1)..])?
        };
    }
    let text = folder.vocabulary.decode(&all)?;
    Ok(Generated { tokens: all.split_off(prompt.len()), prompt, text, ended })
}

impl Sampling {
    fn check(&self) -> Result<()> {
        let problem = match self {
            Sampling { temperature, .. } if !temperature.is_finite() || *temperature < 0.0 => {
                format!("the temperature is at least 0, not {temperature}")
            }
            Sampling { top_k: Some(0), .. } => "top-k is at least 1".to_owned(),
            Sampling { top_p: Some(p), .. } if !(*p > 0.0 && *p <= 1.0) => {
                format!("top-p lies above 0 and at most at 1, not {p}")
            }
            _ => return Ok(()),
        };
        Err(TrainError::Settings(problem))
    }

    /// The next token: the first of the likeliest at temperature 0, else drawn.
    pub(crate) fn choose(&self, logits: &[f32], random: &mut ChaCha8Rng) -> u32 {
        let mut order: Vec<u32> = (0..logits.len() as u32).collect();
        let logit = |id: u32| logits[id as usize];
        let likelier = |a: &u32, b: &u32| logit(*b).total_cmp(&logit(*a)).then(a.cmp(b));
        if self.temperature == 0.0 {
            return order.into_iter().min_by(likelier).unwrap_or_default();
        }
        order.sort_unstable_by(likelier);
        order.truncate(self.top_k.unwrap_or(order.len()));
        let top = order.first().map_or(0.0, |id| f64::from(logit(*id)));
        let mut weights: Vec<f64> =
            order.iter().map(|id| ((f64::from(logit(*id)) - top) / self.temperature).exp()).collect();
        let total: f64 = weights.iter().sum();
        if let Some(p) = self.top_p {
            let mut sum = 0.0;
            let reached = weights.iter().position(|w| {
                sum += w;
                sum >= p * total
            });
            weights.truncate(reached.map_or(weights.len(), |last| last + 1));
        }
        let uniform = (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        let mut left = uniform * weights.iter().sum::<f64>();
        for (id, weight) in order.iter().zip(&weights) {
            left -= weight;
            if left < 0.0 {
                return *id;
            }
        }
        order.get(weights.len().saturating_sub(1)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(sampling: Sampling, logits: &[f32]) -> Vec<f64> {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let mut counts = vec![0.0; logits.len()];
        for _ in 0..20_000 {
            counts[sampling.choose(logits, &mut random) as usize] += 1.0 / 20_000.0;
        }
        counts
    }

    #[test]
    fn draws_follow_the_softmax_and_its_cuts() {
        let logits = [1.0f32, 3.0, 2.0, -1.0];
        let plain = Sampling { temperature: 1.0, top_k: None, top_p: None, ..Sampling::default() };
        let sum: f64 = logits.iter().map(|&l| f64::from(l).exp()).sum();
        for (share, logit) in shares(plain, &logits).iter().zip(logits) {
            assert!((share - f64::from(logit).exp() / sum).abs() < 0.015, "{share}");
        }
        let two = shares(Sampling { top_k: Some(2), ..plain }, &logits);
        assert!(two[0] == 0.0 && two[3] == 0.0 && two[1] > two[2] && two[2] > 0.2);
        let nucleus = shares(Sampling { top_p: Some(0.6), ..plain }, &logits);
        assert_eq!(nucleus, [0.0, nucleus[1], 0.0, 0.0], "the likeliest token alone has 64%");
        let cold = shares(Sampling { temperature: 0.1, ..plain }, &logits);
        assert!(cold[1] > 0.99);
    }

    #[test]
    fn temperature_zero_takes_the_first_of_the_likeliest() {
        let greedy = Sampling { temperature: 0.0, ..Sampling::default() };
        assert_eq!(greedy.choose(&[0.0, 5.0, 5.0], &mut ChaCha8Rng::seed_from_u64(1)), 1);
    }

    #[test]
    fn settings_out_of_range_are_errors() {
        for bad in [
            Sampling { temperature: -1.0, ..Sampling::default() },
            Sampling { temperature: f64::NAN, ..Sampling::default() },
            Sampling { top_k: Some(0), ..Sampling::default() },
            Sampling { top_p: Some(1.5), ..Sampling::default() },
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }
}
