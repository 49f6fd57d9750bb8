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

impl Sampling {
    /// The same among so many likeliest tokens, 0 for all, and those that hold so large a share of the probability, 1 for all.
    pub fn among(self, top_k: usize, top_p: f64) -> Sampling {
        Sampling { top_k: (top_k > 0).then_some(top_k), top_p: (top_p < 1.0).then_some(top_p), ..self }
    }
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
    pub(crate) fn check(&self) -> Result<()> {
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
        let logit = |id: u32| logits[id as usize];
        let ids = 0..logits.len() as u32;
        let first = ids.clone().max_by(|a, b| logit(*a).total_cmp(&logit(*b)).then(b.cmp(a))).unwrap_or(0);
        if self.temperature == 0.0 || logits.is_empty() {
            return first;
        }
        let top = f64::from(logit(first));
        let weight = |id: u32| ((f64::from(logit(id)) - top) / self.temperature).exp();
        let mut order = Order { logits, ids: ids.clone().collect(), sorted: 0 };
        let mut most = self.top_k.unwrap_or(logits.len()).min(logits.len());
        let mut total: f64 = if most < logits.len() {
            (0..most).map(|rank| weight(order.at(rank))).sum()
        } else {
            ids.map(weight).sum()
        };
        if let Some(p) = self.top_p.filter(|p| *p < 1.0) {
            let (mut sum, wanted) = (0.0, p * total);
            for rank in 0..most {
                sum += weight(order.at(rank));
                if sum >= wanted {
                    most = rank + 1;
                    break;
                }
            }
            total = sum;
        }
        let uniform = (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        let mut left = uniform * total;
        for rank in 0..most {
            left -= weight(order.at(rank));
            if left < 0.0 {
                return order.at(rank);
            }
        }
        order.at(most - 1)
    }
}

/// Ids from the likeliest on, sorted as far as they are asked for: a draw looks at few of them.
struct Order<'a> {
    logits: &'a [f32],
    ids: Vec<u32>,
    sorted: usize,
}

impl Order<'_> {
    fn at(&mut self, rank: usize) -> u32 {
        while rank >= self.sorted {
            let logit = |id: &u32| self.logits[*id as usize];
            let likelier = |a: &u32, b: &u32| logit(b).total_cmp(&logit(a)).then(a.cmp(b));
            let (from, more) = (self.sorted, (7 * self.sorted).max(64));
            let rest = &mut self.ids[from..];
            let next = more.min(rest.len());
            if next < rest.len() {
                rest.select_nth_unstable_by(next, likelier);
            }
            rest[..next].sort_unstable_by(likelier);
            self.sorted += next;
        }
        self.ids[rank]
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

    /// The definition: everything sorted.
    fn sorted(sampling: &Sampling, logits: &[f32], random: &mut ChaCha8Rng) -> u32 {
        let logit = |id: u32| f64::from(logits[id as usize]);
        let mut order: Vec<u32> = (0..logits.len() as u32).collect();
        order.sort_by(|a, b| logit(*b).total_cmp(&logit(*a)).then(a.cmp(b)));
        order.truncate(sampling.top_k.unwrap_or(order.len()));
        let top = logit(order[0]);
        let mut weights: Vec<f64> =
            order.iter().map(|id| ((logit(*id) - top) / sampling.temperature).exp()).collect();
        let total: f64 = weights.iter().sum();
        let mut sum = 0.0;
        let p = sampling.top_p.unwrap_or(1.0);
        let last = weights.iter().position(|w| {
            sum += w;
            sum >= p * total
        });
        weights.truncate(last.map_or(weights.len(), |last| last + 1));
        let uniform = (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        let mut left = uniform * weights.iter().sum::<f64>();
        for (id, weight) in order.iter().zip(&weights) {
            left -= weight;
            if left < 0.0 {
                return *id;
            }
        }
        order[weights.len() - 1]
    }

    #[test]
    fn a_draw_without_sorting_everything_is_the_same_draw() {
        let logits: Vec<f32> =
            (0..3000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / 3e6).collect();
        let plain = Sampling { temperature: 1.3, top_k: None, top_p: None, ..Sampling::default() };
        for sampling in [
            plain,
            Sampling { top_p: Some(0.7), ..plain },
            Sampling { top_p: Some(1.0), ..plain },
            Sampling { top_k: Some(700), ..plain },
            Sampling { top_k: Some(90), top_p: Some(0.99), temperature: 9.0, ..plain },
        ] {
            let (mut one, mut other) = (ChaCha8Rng::seed_from_u64(3), ChaCha8Rng::seed_from_u64(3));
            for draw in 0..60 {
                let wanted = sorted(&sampling, &logits, &mut other);
                assert_eq!(sampling.choose(&logits, &mut one), wanted, "{sampling:?}, draw {draw}");
            }
        }
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
