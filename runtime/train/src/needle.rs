//! The needle test: is a fact found again wherever it is hidden in a long text?

use llmp_data::tokens::TokenShard;
use llmp_nn::{Decoder, Model};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::error::{Result, TrainError};
use crate::folder::Vocabulary;
use crate::host::Host;

/// Places of the fact, from the beginning of the text to its end.
pub const DEPTHS: u64 = 10;

/// What the question repeats of the fact.
const LEAD: &str = "The number of the red locker is";

/// Tokens that an answer may have more than the number that is asked for.
const SLACK: usize = 2;

/// How often the fact was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Facts that were found.
    pub found: u64,
    /// Facts that were hidden.
    pub hidden: u64,
}

impl Found {
    /// The share that was found.
    pub fn share(self) -> f64 {
        self.found as f64 / self.hidden.max(1) as f64
    }
}

/// The first `length` tokens of a shard's documents without their end-of-text tokens, from the first document again where
/// they are fewer. Errors: documents without text.
pub fn haystack(shard: &TokenShard, length: usize) -> Result<Vec<u32>> {
    let mut hay: Vec<u32> = Vec::new();
    for document in 0..shard.documents() {
        let (from, to) = shard.range(document);
        let wanted = (to - 1).min(from + (length - hay.len()) as u64);
        hay.extend(shard.read(from, wanted)?);
        if hay.len() == length {
            return Ok(hay);
        }
    }
    if hay.is_empty() {
        return Err(TrainError::Settings("the documents hold no text to hide a fact in".to_owned()));
    }
    Ok(hay.iter().copied().cycle().take(length).collect())
}

/// One question: a prompt and the number that answers it.
struct Question {
    prompt: Vec<u32>,
    number: String,
    /// Tokens that an answer may have.
    most: usize,
}

/// Hides a fact at each of [`DEPTHS`] places and asks a model for it: every question and its answer have `context` tokens
/// together. `seed` draws the numbers.
///
/// Errors: a context that is too short for the fact and the question; the stop flag.
pub fn ask(
    model: &Model,
    vocabulary: &Vocabulary,
    haystack: &[u32],
    context: usize,
    seed: u64,
    host: &Host<'_>,
) -> Result<Found> {
    ask_with(vocabulary, haystack, context, seed, &mut |prompt, most| match host.stopped() {
        true => Err(TrainError::Stopped),
        false => likeliest(model, prompt, most),
    })
}

/// What continues a prompt by so many tokens.
pub type Answer<'a> = &'a mut dyn FnMut(&[u32], usize) -> Result<Vec<u32>>;

/// [`ask`] of anything that continues a prompt by so many tokens.
pub fn ask_with(
    vocabulary: &Vocabulary,
    haystack: &[u32],
    context: usize,
    seed: u64,
    answer: Answer<'_>,
) -> Result<Found> {
    let mut found = 0;
    for depth in 0..DEPTHS {
        let question = question(vocabulary, haystack, context, (seed, depth))?;
        let said = vocabulary.decode(&answer(&question.prompt, question.most)?)?;
        found += u64::from(said.trim_start().starts_with(&question.number));
    }
    Ok(Found { found, hidden: DEPTHS })
}

fn question(
    vocabulary: &Vocabulary,
    haystack: &[u32],
    context: usize,
    (seed, depth): (u64, u64),
) -> Result<Question> {
    let number = ChaCha8Rng::seed_from_u64(seed ^ depth).random_range(10_000..100_000u32).to_string();
    let fact = format!(" {LEAD} {number}. Keep it in mind: the red locker has the number {number}. ");
    let fact = vocabulary.encode_plain(&fact)?;
    let asked = vocabulary.encode_plain(&format!(" What is the number of the red locker? {LEAD}"))?;
    let most = vocabulary.encode_plain(&format!(" {number}"))?.len() + SLACK;
    let start = vocabulary.start().map(|(_, id)| id);
    let taken = usize::from(start.is_some()) + fact.len() + asked.len() + most;
    let Some(rest) = context.checked_sub(taken).filter(|rest| *rest <= haystack.len()) else {
        let message =
            format!("the needle test takes {taken} tokens of this tokenizer, the context has {context}");
        return Err(TrainError::Settings(message));
    };
    let cut = (rest as u64 * depth / (DEPTHS - 1)) as usize;
    let parts = [&haystack[..cut], &fact, &haystack[cut..rest], &asked];
    let prompt = start.into_iter().chain(parts.into_iter().flatten().copied()).collect();
    Ok(Question { prompt, number, most })
}

/// The likeliest tokens after a prompt.
fn likeliest(model: &Model, prompt: &[u32], most: usize) -> Result<Vec<u32>> {
    let mut decoder = Decoder::new(model);
    let mut logits = decoder.prefill(prompt)?;
    let mut said = Vec::new();
    while said.len() < most {
        let best = (0..logits.len()).min_by(|a, b| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b)));
        let id = best.unwrap_or_default() as u32;
        said.push(id);
        if said.len() < most {
            logits = decoder.step(id)?;
        }
    }
    Ok(said)
}
