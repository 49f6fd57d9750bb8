//! Answers to many prompts: all sequences of a batch share one pass over the weights, and none depends on the others.
//!
//! A sequence that ends makes room for the next at once. What a prompt shares with one that was read before (other answers to
//! it, a system prompt) is copied, not computed. Every answer has a random stream of its own, named by the seed of its prompt and its number,
//! and logits do not depend on the batch ([`llmp_nn::Decoder`]): so an answer is the same whatever stands beside it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};

use llmp_nn::decode::log_prob;
use llmp_nn::{Decoder, Model};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::error::{Result, TrainError};
use crate::folder::Vocabulary;
use crate::generate::Sampling;

/// Sequences that are written at a time.
pub const TOGETHER: usize = 32;

/// Bytes of keys and values that sequences written at a time may need, if there is more than one.
const MEMORY: usize = 2 << 30;

/// Tokens that a prompt must have in common with another one to wait until that is read.
const WORTH: usize = 32;

/// One answer to a prompt.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// The tokens that were drawn, with the one that ended it.
    pub ids: Vec<u32>,
    /// Natural log of the probability of each under the model itself: at temperature 1, nothing cut away.
    pub logps: Vec<f32>,
    /// The model ended it by itself; else it ran into a limit.
    pub ended: bool,
}

/// What ends an answer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stops<'a> {
    /// Tokens.
    pub ids: &'a [u32],
    /// Texts, with the tokenizer that writes them.
    pub texts: Option<(&'a Vocabulary, &'a [String])>,
}

impl<'a> Stops<'a> {
    /// Tokens only.
    pub fn at(ids: &'a [u32]) -> Stops<'a> {
        Stops { ids, texts: None }
    }

    /// The tokens of an answer without the one that ended it.
    pub fn said<'b>(&self, answer: &'b Answer) -> &'b [u32] {
        match answer.ids.split_last() {
            Some((last, said)) if self.ids.contains(last) => said,
            _ => &answer.ids,
        }
    }

    /// The text of an answer up to what ended it.
    ///
    /// Errors: tokens that the tokenizer does not have.
    pub fn text(&self, vocabulary: &Vocabulary, answer: &Answer) -> Result<String> {
        let mut text = vocabulary.decode(self.said(answer))?;
        let stops = self.texts.map_or(&[][..], |(_, texts)| texts);
        if let Some(at) = stops.iter().filter_map(|stop| text.find(stop.as_str())).min() {
            text.truncate(at);
        }
        Ok(text)
    }

    /// Whether tokens end an answer with their last one.
    fn end(&self, ids: &[u32]) -> Result<bool> {
        if ids.last().is_some_and(|last| self.ids.contains(last)) {
            return Ok(true);
        }
        let Some((vocabulary, texts)) = self.texts.filter(|(_, texts)| !texts.is_empty()) else {
            return Ok(false);
        };
        // A token writes at least a byte, but for special ones and the blanks that a decoder leaves out.
        let longest = texts.iter().map(String::len).max().unwrap_or(0) + 8;
        let tail = vocabulary.decode(&ids[ids.len().saturating_sub(longest)..])?;
        Ok(texts.iter().any(|stop| tail.contains(stop.as_str())))
    }
}

/// A prompt that is to be answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// Its tokens.
    pub prompt: Vec<u32>,
    /// Answers to it.
    pub n: usize,
    /// Names the random streams of its answers.
    pub seed: u64,
}

/// A seed out of several numbers.
pub fn seed(parts: impl IntoIterator<Item = u64>) -> u64 {
    // The finalizer of splitmix64 over a running sum.
    parts.into_iter().fold(0x9e37_79b9_7f4a_7c15, |state, part| {
        let mut z = (state ^ part).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

/// `n` answers to each of several prompts. The answers to a prompt depend on the model, its tokens, `sampling` (but for its
/// `seed`), `stops` and its seed in `seeds` alone. A prompt that leaves no room in the context has empty answers.
///
/// Errors: settings out of range, an empty prompt, ids that the model does not have.
pub fn answers(
    model: &Model,
    prompts: &[Vec<u32>],
    n: usize,
    sampling: &Sampling,
    stops: Stops<'_>,
    seeds: &[u64],
) -> Result<Vec<Vec<Answer>>> {
    if seeds.len() != prompts.len() {
        let message = format!("{} seeds for {} prompts", seeds.len(), prompts.len());
        return Err(TrainError::Settings(message));
    }
    let mut all = vec![Vec::new(); prompts.len()];
    let mut left =
        prompts.iter().zip(seeds).map(|(prompt, seed)| Question { prompt: prompt.clone(), n, seed: *seed });
    let how = How { sampling, stops, together: TOGETHER, stop: None };
    ask(model, how, &mut || Ok(left.next()), &mut |number, answers| {
        all[number as usize] = answers;
        Ok(())
    })?;
    Ok(all)
}

/// How questions are answered.
#[derive(Debug, Clone, Copy)]
pub struct How<'a> {
    /// How tokens are drawn; its `seed` is not used.
    pub sampling: &'a Sampling,
    /// What ends an answer.
    pub stops: Stops<'a>,
    /// Most sequences that are written at a time: decides speed and memory, never what is written.
    pub together: usize,
    /// Raised from outside to end with [`TrainError::Stopped`] before the next token.
    pub stop: Option<&'a AtomicBool>,
}

/// Answers questions as they come. `next` gives the next one; `heard` gets the number of a question, counted from 0, with its
/// answers once the last of them is finished: questions may finish in another order than they came.
///
/// Errors: those of [`answers`], of `next` and of `heard`, which both may end it so.
pub fn ask(
    model: &Model,
    how: How<'_>,
    next: &mut dyn FnMut() -> Result<Option<Question>>,
    heard: &mut dyn FnMut(u64, Vec<Answer>) -> Result<()>,
) -> Result<()> {
    how.sampling.check()?;
    let slots = how.together.max(1);
    let mut batch = Batch {
        how,
        room: model.spec().context,
        bytes: 8 * model.spec().layers * model.spec().kv_width(),
        decoder: Decoder::with_sequences(model, slots).compact(),
        slots: (0..slots).map(|_| Slot::default()).collect(),
        open: BTreeMap::new(),
        queue: VecDeque::new(),
        asked: 0,
    };
    loop {
        if how.stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
            return Err(TrainError::Stopped);
        }
        for (number, answers) in batch.admit(next)? {
            heard(number, answers)?;
        }
        if batch.slots.iter().all(|slot| slot.running.is_none()) {
            return Ok(());
        }
        for (number, answers) in batch.step()? {
            heard(number, answers)?;
        }
    }
}

/// An answer that is being written.
#[derive(Debug)]
struct Running {
    question: u64,
    turn: usize,
    random: ChaCha8Rng,
    /// The token that is fed next.
    pending: u32,
    answer: Answer,
    /// Positions that it may come to hold.
    most: usize,
}

/// One sequence of the decoder.
#[derive(Debug, Default)]
struct Slot {
    /// The tokens whose keys and values it holds, also when nothing runs in it.
    held: Vec<u32>,
    running: Option<Running>,
}

/// A question of which some answers are not finished.
#[derive(Debug)]
struct Open {
    question: Question,
    answers: Vec<Option<Answer>>,
}

struct Batch<'a> {
    how: How<'a>,
    /// Positions of the model's context.
    room: usize,
    /// Bytes of keys and values of one position.
    bytes: usize,
    decoder: Decoder<'a>,
    slots: Vec<Slot>,
    open: BTreeMap<u64, Open>,
    /// Answers that wait for a slot: question and turn.
    queue: VecDeque<(u64, usize)>,
    asked: u64,
}

/// Questions that are finished, with their answers.
type Done = Vec<(u64, Vec<Answer>)>;

impl Batch<'_> {
    /// Lets waiting answers into free slots and reads their prompts, but for the last token of each.
    fn admit(&mut self, next: &mut dyn FnMut() -> Result<Option<Question>>) -> Result<Done> {
        let mut done = Done::new();
        while self.wave(next, &mut done)? {}
        Ok(done)
    }

    /// Lets in prompts that are read together; whether one waits to copy from them.
    fn wave(&mut self, next: &mut dyn FnMut() -> Result<Option<Question>>, done: &mut Done) -> Result<bool> {
        let mut waits = false;
        // Slots whose prompts are to be read, and those that then get a copy.
        let mut fills: Vec<(usize, usize)> = Vec::new();
        let mut copies: Vec<(usize, usize)> = Vec::new();
        while let Some(free) = self.slots.iter().position(|slot| slot.running.is_none()) {
            while self.queue.is_empty() {
                let Some(question) = next()? else { break };
                done.extend(self.open(question)?);
            }
            let Some((number, turn)) = self.queue.front().copied() else { break };
            let prompt = self.open[&number].question.prompt.clone();
            let most = (prompt.len() + self.how.sampling.max_tokens).min(self.room);
            if !self.fits(most) {
                break;
            }
            let (last, read) = prompt.split_last().map_or((0, &[][..]), |(last, read)| (*last, read));
            // A sibling that is about to be read.
            let leader = fills.iter().map(|(at, _)| *at).find(|at| self.slots[*at].held == read);
            let slot = match leader {
                Some(leader) => {
                    copies.push((leader, free));
                    self.slots[free].held = read.to_vec();
                    free
                }
                None => {
                    let (from, same) = self.nearest(read, &fills, &copies);
                    let ahead = fills.iter().map(|(at, _)| common(&self.slots[*at].held, read)).max();
                    if ahead.is_some_and(|ahead| ahead > same + WORTH) {
                        waits = true;
                        break;
                    }
                    let slot = if self.slots[from].running.is_none() { from } else { free };
                    self.decoder.copy(from, slot, same);
                    self.slots[slot].held = read.to_vec();
                    fills.push((slot, same));
                    slot
                }
            };
            self.queue.pop_front();
            let mut random = ChaCha8Rng::seed_from_u64(self.open[&number].question.seed);
            random.set_stream(turn as u64);
            let answer = Answer::default();
            self.slots[slot].running =
                Some(Running { question: number, turn, random, pending: last, answer, most });
        }
        let items: Vec<(usize, &[u32])> =
            fills.iter().map(|(at, same)| (*at, &self.slots[*at].held[*same..])).collect();
        self.decoder.fill(&items)?;
        for (from, to) in copies {
            self.decoder.copy(from, to, self.slots[from].held.len());
        }
        Ok(waits)
    }

    /// Whether one more sequence of so many positions may be written beside those that are.
    fn fits(&self, most: usize) -> bool {
        let running: usize = self.slots.iter().filter_map(|slot| Some(slot.running.as_ref()?.most)).sum();
        running == 0 || (running + most).saturating_mul(self.bytes) <= MEMORY
    }

    /// Takes a question; finished at once where its prompt leaves no room or it asks for nothing.
    fn open(&mut self, question: Question) -> Result<Option<(u64, Vec<Answer>)>> {
        let number = self.asked;
        self.asked += 1;
        if question.prompt.is_empty() {
            return Err(TrainError::Settings("a prompt without tokens cannot be answered".to_owned()));
        }
        if question.prompt.len() > self.room || question.n == 0 || self.how.sampling.max_tokens == 0 {
            return Ok(Some((number, vec![Answer::default(); question.n])));
        }
        self.queue.extend((0..question.n).map(|turn| (number, turn)));
        let answers = vec![None; question.n];
        self.open.insert(number, Open { question, answers });
        Ok(None)
    }

    /// The slot that holds most of the beginning of `read`, and how much that is. One that is about to be read holds what it was
    /// left with, one that is about to get a copy nothing.
    fn nearest(&self, read: &[u32], fills: &[(usize, usize)], copies: &[(usize, usize)]) -> (usize, usize) {
        let same = |at: usize| match fills.iter().find(|fill| fill.0 == at) {
            Some((_, left)) => common(&self.slots[at].held[..*left], read),
            None if copies.iter().any(|copy| copy.1 == at) => 0,
            None => common(&self.slots[at].held, read),
        };
        // Of equal ones a free one, which then needs no copy.
        let worth = |at: usize| (same(at), self.slots[at].running.is_none(), usize::MAX - at);
        let from = (0..self.slots.len()).max_by_key(|at| worth(*at)).unwrap_or(0);
        (from, same(from))
    }

    /// One more token of every answer; gives the questions that are finished by it.
    fn step(&mut self) -> Result<Done> {
        let running = |(at, slot): (usize, &Slot)| Some((at, slot.running.as_ref()?.pending));
        let items: Vec<(usize, u32)> = self.slots.iter().enumerate().filter_map(running).collect();
        let logits = self.decoder.step_batch(&items)?;
        let (how, room) = (self.how, self.room);
        let slots: Vec<&mut Slot> = self.slots.iter_mut().filter(|slot| slot.running.is_some()).collect();
        let over = slots.into_par_iter().zip(&logits).map(|(slot, logits)| slot.step(how, room, logits));
        let over: Vec<Result<bool>> = over.collect();
        let mut done = Done::new();
        for ((at, _), over) in items.into_iter().zip(over) {
            if !over? {
                continue;
            }
            let Some(Running { question, turn, answer, .. }) = self.slots[at].running.take() else {
                continue;
            };
            let Some(open) = self.open.get_mut(&question) else { continue };
            open.answers[turn] = Some(answer);
            if open.answers.iter().all(Option::is_some)
                && let Some(open) = self.open.remove(&question)
            {
                done.push((question, open.answers.into_iter().flatten().collect()));
            }
        }
        Ok(done)
    }
}

/// How many tokens two sequences begin with in common.
fn common(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

impl Slot {
    /// Draws the next token; whether the answer ends with it.
    fn step(&mut self, how: How<'_>, room: usize, logits: &[f32]) -> Result<bool> {
        let Some(running) = &mut self.running else { return Ok(false) };
        self.held.push(running.pending);
        let id = how.sampling.choose(logits, &mut running.random);
        running.pending = id;
        let answer = &mut running.answer;
        answer.ids.push(id);
        answer.logps.push(log_prob(logits, id));
        answer.ended = how.stops.end(&answer.ids)?;
        Ok(answer.ended || answer.ids.len() >= how.sampling.max_tokens || self.held.len() >= room)
    }
}
