//! Where the batches of a stage come from: a stream of tokens, or examples.

use llmp_data::mix::{Cursor, TokenStream};
use llmp_nn::MicroBatch;

use super::batches;
use super::examples::{Drawn, Placed, Row, micro_batch};
use crate::course::Course;
use crate::error::Result;
use crate::stage::Stage;

/// What a step goes through.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// Rows that go through the model together.
    pub micros: Vec<MicroBatch>,
    /// For every micro-batch the sequences of examples that stand in it; empty for a stream of tokens. Of prompts, whose rows
    /// [`super::Objective::prepare`] makes, there is one list and no micro-batch.
    pub placed: Vec<Vec<Placed>>,
}

impl Batch {
    /// Groups of rows, each a micro-batch.
    pub fn of<'r>(groups: impl Iterator<Item = &'r [Row<'r>]>) -> Batch {
        let (micros, placed) = groups.map(micro_batch).unzip();
        Batch { micros, placed }
    }

    /// The micro-batches with what stands in them and the number of their first row in the batch.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (&MicroBatch, &[Placed], u64)> {
        let placed = (0..self.micros.len()).map(|at| self.placed.get(at).map_or(&[][..], Vec::as_slice));
        batches::numbered(&self.micros).zip(placed).map(|((micro, row), placed)| (micro, placed, row))
    }

    /// Targets that count.
    pub fn targets(&self) -> u64 {
        self.micros.iter().map(MicroBatch::counted).sum()
    }
}

/// The source of the batches of a stage. Both give equal batches for equal steps, whatever was interrupted.
#[derive(Debug)]
pub(crate) enum Feed {
    /// Rows of documents end to end; its place is part of a checkpoint.
    Stream(Box<TokenStream>),
    /// Examples; the batch of a step follows from its number.
    Examples(Drawn),
}

impl Feed {
    /// The batch of the step that follows `done` steps. Errors: the data end before it.
    pub(crate) fn next(&mut self, stage: &Stage, course: &Course, done: u64, name: &str) -> Result<Batch> {
        match self {
            Feed::Stream(stream) => {
                let micros = batches::next(stage, course, stream, done, name)?;
                Ok(Batch { micros, placed: Vec::new() })
            }
            Feed::Examples(drawn) => drawn.batch(stage, course, done),
        }
    }

    /// The place that a checkpoint holds.
    pub(crate) fn cursor(&self) -> Cursor {
        match self {
            Feed::Stream(stream) => stream.cursor(),
            Feed::Examples(_) => Cursor::default(),
        }
    }

    /// Goes to the place of a checkpoint.
    pub(crate) fn restore(&mut self, cursor: &Cursor) -> Result<()> {
        match self {
            Feed::Stream(stream) => Ok(stream.restore(cursor)?),
            Feed::Examples(_) => Ok(()),
        }
    }

    /// Tokens of the first `done` batches; those of examples without padding.
    pub(crate) fn tokens_after(&self, course: &Course, done: u64) -> u64 {
        match self {
            Feed::Stream(_) => course.tokens_after(done),
            Feed::Examples(drawn) => drawn.tokens_after(course, done),
        }
    }

    /// Tokens drawn from each source, and passes over it.
    pub(crate) fn drawn(&self) -> (Vec<u64>, Vec<f64>) {
        match self {
            Feed::Stream(stream) => (stream.drawn(), stream.epochs()),
            Feed::Examples(drawn) => drawn.sources(),
        }
    }
}
