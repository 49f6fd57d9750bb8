//! Looks at a model while it trains: what it scores on held-out documents, what it writes.
//!
//! A look reads the weights and changes nothing: not the weights, not the optimizer, not the order of the data. What it saw
//! stands in the line of its step, so that a stage that goes on from a checkpoint takes every look once.

use std::collections::BTreeMap;

use llmp_data::tokens::TokenShard;
use llmp_nn::{LossSums, MicroBatch, Model};
use llmp_stdlib::Event;

use super::metrics::Line;
use crate::course::Course;
use crate::error::{Result, TrainError};
use crate::evaluate;
use crate::folder::{ModelFolder, Vocabulary};
use crate::generate::{Sampling, generate};
use crate::host::Host;
use crate::settings::{Interval, Times};
use crate::suites;

/// Documents that a stage is measured on while it runs.
#[derive(Debug)]
pub struct HeldOut {
    /// The suite: `bits_per_byte` or `perplexity`.
    pub suite: String,
    /// Their tokens.
    pub shard: TokenShard,
    /// UTF-8 bytes of their texts.
    pub bytes: u64,
}

/// Seconds since any fixed moment.
type Clock<'a> = &'a dyn Fn() -> f64;

/// When something is looked at.
#[derive(Debug)]
struct When {
    distance: Interval,
    /// When it was last looked at.
    last: f64,
}

impl When {
    fn new(times: &Times, clock: Clock<'_>) -> When {
        let mut when = When { distance: times.distance(), last: 0.0 };
        if when.by_time() {
            when.last = clock();
        }
        when
    }

    fn by_time(&self) -> bool {
        matches!(self.distance, Interval::Seconds(_))
    }

    /// Whether the moment after `done` steps is one: where a multiple of the distance is reached, and the end of the stage.
    fn due(&mut self, course: &Course, done: u64, clock: Clock<'_>) -> bool {
        let passes = |tokens: f64| {
            let reached = |done| (course.tokens_after(done) as f64 / tokens.max(1.0)).floor();
            reached(done) > reached(done.saturating_sub(1))
        };
        let due = done >= course.steps()
            || match self.distance {
                Interval::Seconds(seconds) => clock() - self.last >= seconds,
                Interval::Steps(steps) => done.is_multiple_of(steps.max(1)),
                Interval::Tokens(tokens) => passes(tokens as f64),
                Interval::Share(share) => passes(share * course.drawn() as f64),
            };
        if due && self.by_time() {
            self.last = clock();
        }
        due
    }
}

/// What is looked at after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    evaluate: bool,
    sample: bool,
}

impl Look {
    /// Whether there is anything to look at.
    pub(super) fn any(self) -> bool {
        self.evaluate || self.sample
    }
}

/// The looks of a stage.
#[derive(Debug)]
pub(super) struct Looks<'a> {
    evaluate: Option<When>,
    sample: Option<When>,
    held_out: Vec<HeldOut>,
    /// Examples that are held out, by name.
    examples: Vec<(String, Vec<MicroBatch>)>,
    vocabulary: &'a Vocabulary,
}

impl<'a> Looks<'a> {
    /// The looks that a stage asks for.
    pub(super) fn new(
        (evaluate, sample): (Option<&Times>, Option<&Times>),
        held_out: Vec<HeldOut>,
        vocabulary: &'a Vocabulary,
        clock: Clock<'_>,
    ) -> Looks<'a> {
        let when = |times: &Times| When::new(times, clock);
        let (evaluate, sample) = (evaluate.map(when), sample.map(when));
        Looks { evaluate, sample, held_out, examples: Vec::new(), vocabulary }
    }

    /// Measures the loss on examples too.
    pub(super) fn on(mut self, examples: Vec<(String, Vec<MicroBatch>)>) -> Looks<'a> {
        self.examples = examples;
        self
    }

    /// What is to be looked at after `done` steps.
    pub(super) fn due(&mut self, course: &Course, done: u64, clock: Clock<'_>) -> Look {
        let due = |when: &mut Option<When>| when.as_mut().is_some_and(|when| when.due(course, done, clock));
        Look { evaluate: due(&mut self.evaluate), sample: due(&mut self.sample) }
    }

    /// Looks at the model within sequences of `context` tokens, and writes into `line` what is seen. Errors: the stop flag;
    /// documents without text.
    pub(super) fn take(
        &self,
        look: Look,
        model: &Model,
        context: u64,
        line: &mut Line,
        host: &Host<'_>,
    ) -> Result<()> {
        if look.evaluate {
            // The bar of the stage counts tokens, not documents.
            let silent = Host { event: &|_| {}, ..*host };
            for (index, held) in self.held_out.iter().enumerate() {
                let context = context as usize;
                let measure =
                    evaluate::bits_per_byte_within(model, &held.shard, held.bytes, context, &silent)?;
                suites::note(&mut line.evaluation, index, &held.suite, &measure.metrics());
            }
        }
        for (name, batches) in self.examples.iter().filter(|_| look.evaluate) {
            let mut sums = LossSums::default();
            for batch in batches {
                if host.stopped() {
                    return Err(TrainError::Stopped);
                }
                sums += model.loss(batch)?;
            }
            line.evaluation.insert(format!("{name}_loss"), sums.nll_sum / sums.targets.max(1) as f64);
        }
        if look.sample {
            line.sample = Some(self.sample(model, host)?);
        }
        Ok(())
    }

    /// A text from nothing. The dice are the same each time, so that texts differ by what was learnt.
    fn sample(&self, model: &Model, host: &Host<'_>) -> Result<String> {
        let ends = self.vocabulary.end().map(|(_, id)| id).into_iter().collect();
        let folder = ModelFolder { model: model.clone(), vocabulary: self.vocabulary.clone(), ends };
        let text = generate(&folder, "", &Sampling::default(), &mut |_| !host.stopped())?.text;
        if host.stopped() { Err(TrainError::Stopped) } else { Ok(text) }
    }
}

/// Tells what the line of a step says about a look.
pub(super) fn tell(line: &Line, host: &Host<'_>) {
    let step = || host.step.to_owned();
    let metrics: &BTreeMap<String, f64> = &line.evaluation;
    for (name, value) in metrics {
        host.tell(Event::Metric { step: step(), name: name.clone(), value: *value });
    }
    if let Some(text) = &line.sample {
        host.tell(Event::Sample { step: step(), text: text.clone() });
    }
}
