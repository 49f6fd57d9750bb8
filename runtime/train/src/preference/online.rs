//! Pairs that the policy samples by itself: of several answers to a prompt the one with the best reward and the one with the worst
//! (F25).

use llmp_data::row::Message;
use llmp_nn::Model;

use crate::budget::micro_rows;
use crate::chat::Chat;
use crate::error::Result;
use crate::folder::Vocabulary;
use crate::generate;
use crate::reward::Judge;
use crate::sample::{Answer, Stops, answers, seed};
use crate::training::{Batch, Sequence};

/// How a policy answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// Answers to a prompt.
    pub n: usize,
    /// Temperature.
    pub temperature: f64,
    /// Longest answer, in tokens.
    pub max_tokens: usize,
    /// Names its random streams.
    pub stream: u64,
    /// Whether the token that ends an answer counts in the loss.
    pub ends: bool,
}

/// Prompts that are answered and judged while a stage runs.
#[derive(Debug)]
pub struct Asked {
    /// The turns of every prompt, in the order of the examples.
    pub prompts: Vec<Vec<Message>>,
    /// The policy's chat.
    pub chat: Chat,
    /// Its tokenizer.
    pub vocabulary: Vocabulary,
    /// How it answers.
    pub sampling: Sampling,
    /// Who judges.
    pub judge: Judge,
}

impl Asked {
    /// The batch of a step: pairs of the policy's answers to its prompts; and the mean rewards of the best and of the worst.
    ///
    /// A prompt whose answers all have one reward gives no pair; where that is so for all of them, one stands with the same answer
    /// on both sides, which teaches no preference.
    pub(super) fn answer(&self, model: &Model, batch: &Batch, step: u64) -> Result<(Batch, (f64, f64))> {
        let numbers: Vec<usize> = batch.placed.iter().flatten().map(|one| one.example).collect();
        let prompts =
            numbers.iter().map(|n| self.chat.prompt(&self.prompts[*n])).collect::<Result<Vec<_>>>()?;
        let sampling = generate::Sampling {
            temperature: self.sampling.temperature,
            max_tokens: self.sampling.max_tokens,
            top_k: None,
            top_p: None,
            ..generate::Sampling::default()
        };
        let stops = Stops::at(self.chat.stops());
        let seeds: Vec<u64> =
            (0u64..).zip(&numbers).map(|(at, _)| seed([self.sampling.stream, step, at])).collect();
        let said = answers(model, &prompts, self.sampling.n, &sampling, stops, &seeds)?;
        let (mut pairs, mut rewards) = (Vec::new(), (0.0, 0.0));
        for ((number, prompt), answers) in numbers.iter().zip(&prompts).zip(&said) {
            let texts =
                answers.iter().map(|a| stops.text(&self.vocabulary, a)).collect::<Result<Vec<_>>>()?;
            let asked: Vec<(&[Message], &str)> =
                texts.iter().map(|text| (self.prompts[*number].as_slice(), text.as_str())).collect();
            let scores = self.judge.score(&asked)?;
            // The first of equals.
            let most =
                (0..scores.len()).reduce(|a, b| if scores[b] > scores[a] { b } else { a }).unwrap_or(0);
            let least =
                (0..scores.len()).reduce(|a, b| if scores[b] < scores[a] { b } else { a }).unwrap_or(0);
            if scores[most] > scores[least] {
                pairs.push([self.sequence(prompt, &answers[most]), self.sequence(prompt, &answers[least])]);
                rewards.0 += f64::from(scores[most]);
                rewards.1 += f64::from(scores[least]);
            }
        }
        let count = pairs.len().max(1) as f64;
        if let (true, Some(prompt), Some([first, ..])) =
            (pairs.is_empty(), prompts.first(), said.first().map(Vec::as_slice))
        {
            pairs.push([self.sequence(prompt, first), self.sequence(prompt, first)]);
        }
        Ok((together(&pairs), (rewards.0 / count, rewards.1 / count)))
    }

    fn sequence(&self, prompt: &[u32], answer: &Answer) -> Sequence {
        let ids = [prompt, answer.ids.as_slice()].concat();
        let said = Stops::at(self.chat.stops()).said(answer).len();
        let end = if self.sampling.ends { ids.len() } else { prompt.len() + said };
        Sequence { counted: std::iter::once(prompt.len()..end).collect(), ids }
    }
}

/// Pairs as micro-batches.
fn together<'a>(pairs: &'a [[Sequence; 2]]) -> Batch {
    let longest = pairs.iter().flatten().map(Sequence::positions).max().unwrap_or(1).max(1) as u64;
    let rows = micro_rows(pairs.len() as u64, 2 * longest).max(1) as usize;
    let rows_of = |(number, pair): (usize, &'a [Sequence; 2])| {
        pair.iter().enumerate().map(move |(part, sequence)| vec![(number, part, sequence)])
    };
    let all: Vec<_> = pairs.iter().enumerate().flat_map(rows_of).collect();
    Batch::of(all.chunks(2 * rows))
}
