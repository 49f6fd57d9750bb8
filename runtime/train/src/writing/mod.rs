//! Steps in which a model writes: what it is asked about a record, what it says, and what the record becomes.
//!
//! A step asks in passes (each member of a committee, each round of an evolution). In a pass every record gives conversations
//! that the model continues, `n` times each. What it said of a record is a line of the journal of the pass as soon as it is known, so that
//! an interrupted run loses only the sentences that were being written. When all passes are done, the records are made out of the
//! journals in the order of the input.

mod generate;
mod grade;
mod journal;
mod made;
mod pass;
mod rewrite;
mod score;
mod speaker;
mod synthesize;

use std::fmt::Debug;
use std::sync::Arc;

use llmp_data::row::Message;
use llmp_data::steps::Reason;
use llmp_data::{Document, Row};
use llmp_stdlib::arg::ModelRef;
use llmp_stdlib::{Record, Settings};
use serde::{Deserialize, Serialize};

use crate::folder::Vocabulary;
use crate::generate::Sampling;
use crate::steps::{Evolve, Generate, Judge, Rephrase, Synthesize, SynthesizeQa, Tag, Translate};

pub use made::{Lost, Made};
pub use pass::{Passing, pass};
pub use score::Scoring;
pub use speaker::Speaker;

/// What a model said once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// The text, without what ended it.
    pub text: String,
    /// It ended by itself.
    pub ended: bool,
    /// Natural log of its probability under the model, the token that ended it included.
    pub logp: f64,
}

/// What was said in a pass about a record: for each question its answers.
pub type Passed = Vec<Vec<Said>>;

/// How a model answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Manner {
    /// Answers to each question.
    pub n: usize,
    /// How tokens are drawn, with the seed of the step.
    pub sampling: Sampling,
    /// Texts that end an answer.
    pub stop: Vec<String>,
}

impl Manner {
    /// One answer at a temperature, drawn from tokens that together have 95%.
    fn one(temperature: f64, max_tokens: usize, seed: u64) -> Manner {
        let sampling = Sampling { max_tokens, temperature, top_k: None, top_p: Some(0.95), seed };
        Manner { n: 1, sampling, stop: Vec::new() }
    }
}

/// A step in which a model writes.
pub trait Writer: Send + Sync + Debug {
    /// The step's name in the language.
    fn name(&self) -> &'static str;

    /// The model of each pass.
    fn models(&self) -> Vec<&ModelRef>;

    /// How they answer.
    fn manner(&self) -> Manner;

    /// What the model of the next pass is asked about a record, given what was said before; `words` is its tokenizer.
    ///
    /// Errors: the record leaves, for this reason.
    fn asks(
        &self,
        doc: &Document,
        before: &[Passed],
        words: &Vocabulary,
    ) -> Result<Vec<Vec<Message>>, Reason>;

    /// What becomes of a record: records, or the reason for which one leaves. `by` are the names of the models.
    fn made(&self, doc: &Document, said: &[Passed], by: &[String]) -> Vec<Result<Document, Reason>>;
}

/// The step called `op`, if a model writes in it. Errors: arguments of the wrong form, in words.
pub fn writer(op: &str, args: &Record) -> Result<Option<Arc<dyn Writer>>, String> {
    fn read<S: Settings + Writer + 'static>(args: &Record) -> Result<Option<Arc<dyn Writer>>, String> {
        let words = |problems: Vec<llmp_stdlib::Problem>| {
            problems.into_iter().map(|p| p.message).collect::<Vec<_>>().join("; ")
        };
        Ok(Some(Arc::new(S::read(args).map_err(words)?)))
    }
    match op {
        "evolve" => read::<Evolve>(args),
        "generate" => read::<Generate>(args),
        "judge" => read::<Judge>(args),
        "rephrase" => read::<Rephrase>(args),
        "synthesize" => read::<Synthesize>(args),
        "synthesize_qa" => read::<SynthesizeQa>(args),
        "tag" => read::<Tag>(args),
        "translate" => read::<Translate>(args),
        _ => Ok(None),
    }
}

/// A question of one turn.
fn question(text: impl Into<String>) -> Vec<Message> {
    vec![Message::new("user", text)]
}

/// The first answer to the first question of the last pass.
fn only(said: &[Passed]) -> &str {
    said.last().and_then(|passed| passed.first()?.first()).map_or("", |said| said.text.trim())
}

/// A record as a reader sees it: its text, or its turns with who speaks.
fn readable(doc: &Document) -> String {
    let Some(row) = &doc.row else { return doc.text.clone() };
    let turn = |turn: &Message| format!("{}: {}", turn.role, turn.text());
    let parts: Vec<(&str, &Vec<Message>)> = row.parts();
    let turns = parts.iter().flat_map(|(_, turns)| turns.iter()).map(turn);
    turns.collect::<Vec<_>>().join("\n\n")
}

/// The turns before an answer.
fn prompt(doc: &Document) -> Option<&Vec<Message>> {
    match doc.row.as_deref()? {
        Row::Prompt { prompt } | Row::Answer { prompt, .. } | Row::Preference { prompt, .. } => Some(prompt),
        Row::Chat { messages } => Some(messages),
    }
}
