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

/// Facts that one text may hide: each is about a locker of its own colour.
pub const COLOURS: [&str; 16] = [
    "red", "blue", "green", "yellow", "black", "white", "orange", "purple", "brown", "grey", "pink",
    "golden", "silver", "violet", "copper", "ivory",
];

/// What stands around the facts of a suite, again and again.
const FILLER: &str = "The river runs past the mill. A boy walks home along the road. Birds sit on the wall and the day is long. ";

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

/// How many facts, and at how many places of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hiding {
    /// Facts in one text, at most as many as [`COLOURS`].
    pub needles: u64,
    /// Places of a fact, from the beginning to the end.
    pub depths: u64,
    /// Draws the numbers.
    pub seed: u64,
}

/// The suite: facts in texts of the lengths of a range, in doublings, and of its longest. Errors: a length beyond the model's
/// context, or too short for the facts; the stop flag.
pub fn suite(
    model: &Model,
    vocabulary: &Vocabulary,
    lengths: (u64, u64),
    hiding: Hiding,
    host: &Host<'_>,
) -> Result<Found> {
    let (low, high) = lengths;
    let context = model.spec().context;
    if high > context as u64 {
        let message = format!("the needle test has texts of {high} tokens, the model's context {context}");
        return Err(TrainError::Settings(message));
    }
    let filler = vocabulary.encode_plain(FILLER)?;
    let haystack: Vec<u32> = filler.iter().copied().cycle().take(high as usize).collect();
    let doublings =
        std::iter::successors(Some(low), |length| length.checked_mul(2)).take_while(|n| *n < high);
    let mut all = Found { found: 0, hidden: 0 };
    for length in doublings.chain([high]) {
        let found = ask_of(vocabulary, &haystack, length as usize, hiding, &mut |prompt, most| match host
            .stopped()
        {
            true => Err(TrainError::Stopped),
            false => likeliest(model, prompt, most),
        })?;
        all = Found { found: all.found + found.found, hidden: all.hidden + found.hidden };
    }
    Ok(all)
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
    ask_of(vocabulary, haystack, context, Hiding { needles: 1, depths: DEPTHS, seed }, answer)
}

/// Asks for every fact of every text.
fn ask_of(
    vocabulary: &Vocabulary,
    haystack: &[u32],
    context: usize,
    hiding: Hiding,
    answer: Answer<'_>,
) -> Result<Found> {
    let mut found = 0;
    for depth in 0..hiding.depths {
        for asked in 0..hiding.needles {
            let question = question(vocabulary, haystack, context, hiding, (depth, asked))?;
            let said = vocabulary.decode(&answer(&question.prompt, question.most)?)?;
            found += u64::from(said.trim_start().starts_with(&question.number));
        }
    }
    Ok(Found { found, hidden: hiding.depths * hiding.needles })
}

/// What a question repeats of its fact.
fn lead(needle: u64) -> String {
    format!("The number of the {} locker is", COLOURS[needle as usize % COLOURS.len()])
}

/// The text with its first fact at place `depth` and the others as far apart, and the question for one of them.
fn question(
    vocabulary: &Vocabulary,
    haystack: &[u32],
    context: usize,
    hiding: Hiding,
    (depth, asked): (u64, u64),
) -> Result<Question> {
    let Hiding { needles, depths, seed } = hiding;
    let number = |needle: u64| {
        let mut random = ChaCha8Rng::seed_from_u64(seed ^ depth ^ (needle << 32));
        random.random_range(10_000..100_000u32).to_string()
    };
    let fact = |needle: u64| {
        let (lead, number) = (lead(needle), number(needle));
        let colour = COLOURS[needle as usize % COLOURS.len()];
        let text =
            format!(" {lead} {number}. Keep it in mind: the {colour} locker has the number {number}. ");
        vocabulary.encode_plain(&text)
    };
    let facts = (0..needles).map(fact).collect::<Result<Vec<_>>>()?;
    let colour = COLOURS[asked as usize % COLOURS.len()];
    let ask = format!(" What is the number of the {colour} locker? {}", lead(asked));
    let ask = vocabulary.encode_plain(&ask)?;
    let most = vocabulary.encode_plain(&format!(" {}", number(asked)))?.len() + SLACK;
    let start = vocabulary.start().map(|(_, id)| id);
    let told: usize = facts.iter().map(Vec::len).sum();
    let taken = usize::from(start.is_some()) + told + ask.len() + most;
    let Some(rest) = context.checked_sub(taken).filter(|rest| *rest <= haystack.len()) else {
        let message =
            format!("the needle test takes {taken} tokens of this tokenizer, the context has {context}");
        return Err(TrainError::Settings(message));
    };
    let place = |needle: u64| (depth + needle * depths / needles) % depths;
    let cut = |needle: u64| (rest as u64 * place(needle) / (depths - 1).max(1)) as usize;
    let mut order: Vec<u64> = (0..needles).collect();
    order.sort_by_key(|needle| cut(*needle));
    let mut prompt: Vec<u32> = start.into_iter().collect();
    let mut from = 0;
    for needle in order {
        prompt.extend(&haystack[from..cut(needle)]);
        prompt.extend(&facts[needle as usize]);
        from = cut(needle);
    }
    prompt.extend(&haystack[from..rest]);
    prompt.extend(ask);
    Ok(Question { prompt, number: number(asked), most })
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
