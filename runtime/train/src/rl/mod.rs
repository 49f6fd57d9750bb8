//! The stage `rl`: a model answers prompts, its answers are rewarded, and it learns from that.
//!
//! A round samples answers of the policy as it is, rewards them, and takes one or several gradient steps on them. The rewards, the
//! advantages and the log-probabilities of the policy that sampled belong to the round; checkpoints lie between rounds, so that a
//! stage that goes on from one samples the same.

mod anchor;
mod objective;
mod prompts;
mod reward;
mod round;

use llmp_stdlib::{Arg, Record, Value};

use crate::kinds::decoder::field;
use crate::kinds::rl::{Advantage, Ends, HeldTo, Kl, RewardSum, RewardTerm, Update};
use crate::stage::input;
use crate::steps::Verifier;
use crate::tuning::{DataPart, data_parts};

pub use objective::Rl;
pub(crate) use prompts::turns;
pub use prompts::{Asked, Reader};
pub use reward::{Opened, open};

/// A part of a reward.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// A reward model, times a number.
    Judge {
        /// Index of the input that is its folder.
        model: usize,
        /// Index of the input that is its tokenizer.
        tokenizer: usize,
        /// The number.
        by: f64,
    },
    /// A verifier.
    Verifier(Verifier),
    /// For answers that end, against those that do not.
    Ends(Ends),
    /// The log-ratio of the policy to another model (F28).
    Kl {
        /// Its weight.
        weight: f64,
        /// The other model.
        to: To,
    },
}

/// A model that the policy is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// The one that the stage starts from.
    From,
    /// A moving average of the policy.
    Ema,
    /// The folder of an input.
    Model(usize),
}

/// What a stage `rl` has besides the arguments of every stage of post-training.
#[derive(Debug, Clone, PartialEq)]
pub struct Learning {
    /// The prompts.
    pub prompts: Vec<DataPart>,
    /// The parts of the reward.
    pub parts: Vec<Part>,
    /// How much better an answer is than expected.
    pub advantage: Advantage,
    /// How advantages change the policy.
    pub update: Update,
    /// Longest answer, in tokens.
    pub max_tokens: usize,
    /// Sampling temperature.
    pub temperature: f64,
}

impl Learning {
    /// Reads the arguments of a plan step. Errors: words that name the argument.
    pub fn from_args(args: &Record) -> Result<Learning, String> {
        let reward = args.get("reward").unwrap_or(&Value::None);
        let terms = match reward {
            Value::Call(call) if RewardSum::FAMILY.get(&call.name).is_some() => {
                match call.args.get("terms") {
                    Some(Value::List(terms)) => terms.as_slice(),
                    _ => &[],
                }
            }
            one => std::slice::from_ref(one),
        };
        let mut tokenizers = match args.get("judge_tokenizers") {
            Some(Value::List(all)) => all.as_slice(),
            _ => &[],
        }
        .iter();
        let parts = terms.iter().map(|term| part(term, &mut tokenizers)).collect::<Result<_, _>>()?;
        Ok(Learning {
            prompts: data_parts(args, "prompts")?,
            parts,
            advantage: field(args, "advantage")?,
            update: field(args, "update")?,
            max_tokens: field(args, "max_tokens")?,
            temperature: field(args, "temperature")?,
        })
    }

    /// Answers to a prompt.
    pub fn samples(&self) -> usize {
        let samples = match &self.advantage {
            Advantage::Baseline(it) => it.samples,
            Advantage::Group(it) => it.samples,
            Advantage::LeaveOneOut(it) => it.samples,
        };
        samples.max(1) as usize
    }

    /// Gradient steps of a round.
    pub fn inner_steps(&self) -> u64 {
        let steps = match &self.update {
            Update::Clipped(it) => it.inner_steps,
            Update::MirrorDescent(it) => it.inner_steps,
            Update::PolicyGradient(_) => 1,
        };
        steps.max(1)
    }
}

/// One part; `tokenizers` are those of the reward models that are not yet named.
fn part<'a>(term: &Value, tokenizers: &mut impl Iterator<Item = &'a Value>) -> Result<Part, String> {
    let mut judge = |model: &Value, by: f64| match (model, tokenizers.next()) {
        (Value::Input(model), Some(Value::Input(tokenizer))) => {
            Ok(Part::Judge { model: *model, tokenizer: *tokenizer, by })
        }
        _ => Err("a reward model without weights or without a tokenizer".to_owned()),
    };
    let Value::Call(call) = term else { return judge(term, 1.0) };
    if Verifier::FAMILY.get(&call.name).is_some() {
        return Verifier::read(term).map(Part::Verifier);
    }
    match RewardTerm::read(term)? {
        RewardTerm::Ends(it) => Ok(Part::Ends(it)),
        RewardTerm::Scaled(it) => judge(&it.of.0, it.by),
        RewardTerm::Kl(Kl { weight, to }) => {
            let to = match to {
                HeldTo::Anchor(anchor) => anchor.into(),
                HeldTo::Model(_) => To::Model(input(&call.args, "to")?),
            };
            Ok(Part::Kl { weight, to })
        }
    }
}
