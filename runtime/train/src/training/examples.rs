//! Examples as batches: drawn in an order that follows from the seed alone, packed into rows or one to a row.
//!
//! Each source is read in another order in every epoch, and the next example comes from the source that lies furthest behind
//! its share of the tokens. The whole order is known before the first step, so that the batch of a step follows from its
//! number, and a stage that goes on from a checkpoint needs no place in its data.

use std::collections::BTreeSet;
use std::ops::Range;

use llmp_nn::{IGNORE, MicroBatch};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::feed::Batch;
use crate::budget::{Goal, micro_rows};
use crate::course::Course;
use crate::error::{Result, TrainError};
use crate::settings::Accumulate;
use crate::stage::Stage;

/// Tokens that stand in one row, in the order in which the model reads them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sequence {
    /// Token ids.
    pub ids: Vec<u32>,
    /// Which of them are targets. The first token of a sequence never is.
    pub counted: Vec<Range<usize>>,
}

impl Sequence {
    /// Tokens of which all from a place on are targets.
    pub fn behind(ids: Vec<u32>, from: usize) -> Sequence {
        Sequence { counted: std::iter::once(from..ids.len()).collect(), ids }
    }

    /// Positions that it takes in a row: its last token is only a target.
    pub fn positions(&self) -> usize {
        self.ids.len().saturating_sub(1)
    }

    /// Targets that count.
    pub fn targets(&self) -> usize {
        let within = |range: &Range<usize>| range.end.min(self.ids.len()).saturating_sub(range.start.max(1));
        self.counted.iter().map(within).sum()
    }
}

/// One example: a conversation, both answers of a pair, a prompt. Its sequences never leave their micro-batch.
pub type Example = Vec<Sequence>;

/// A row that is made: the sequences that stand in it, with the numbers of their examples and parts.
pub type Row<'a> = Vec<(usize, usize, &'a Sequence)>;

/// How examples become rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Several examples of one sequence share a row, each sees itself only. A batch counts rows.
    Packed,
    /// Every sequence has a row of its own. A batch counts examples.
    Rows,
    /// Rows are made by the objective, which gets the numbers of the examples. A batch counts examples.
    Prompts,
    /// The same, every batch for so many steps.
    Rounds(u64),
}

impl Layout {
    fn of_prompts(self) -> bool {
        matches!(self, Layout::Prompts | Layout::Rounds(_))
    }

    fn repeat(self) -> u64 {
        if let Layout::Rounds(steps) = self { steps.max(1) } else { 1 }
    }
}

/// The examples of one source.
#[derive(Debug, Clone)]
pub struct ExampleSource {
    /// What messages call it.
    pub name: String,
    /// Its share of the tokens.
    pub share: f64,
    /// Most passes over it.
    pub max_epochs: Option<u64>,
    /// Its examples. They are numbered over all sources of a stage, in their order.
    pub examples: Vec<Example>,
}

/// What a stage of examples reads.
#[derive(Debug, Clone)]
pub struct Examples {
    /// The sources.
    pub sources: Vec<ExampleSource>,
    /// How they become rows.
    pub layout: Layout,
    /// Examples that the stage is measured on meanwhile, by name.
    pub held_out: Vec<(String, Vec<Example>)>,
}

impl Examples {
    /// All examples in the order of their numbers.
    fn all(&self) -> impl Iterator<Item = &Example> {
        self.sources.iter().flat_map(|source| &source.examples)
    }
}

/// A sequence of an example in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Number of the example.
    pub example: usize,
    /// Which of its sequences.
    pub part: usize,
    /// Row of the micro-batch.
    pub row: usize,
    /// Positions in that row: the first reads the first token and predicts the second.
    pub at: Range<usize>,
}

impl Placed {
    /// Its positions among those of its micro-batch.
    pub fn positions(&self, batch: &MicroBatch) -> Range<usize> {
        let row = self.row * batch.length;
        row + self.at.start..row + self.at.end
    }
}

/// Examples in the order in which a stage reads them.
#[derive(Debug)]
pub(crate) struct Drawn {
    examples: Examples,
    /// Where the numbers of each source begin.
    firsts: Vec<usize>,
    /// Numbers of the examples in the order of the stage.
    order: Vec<usize>,
    /// Where the examples of each row end in that order; of pairs and prompts every example is one.
    ends: Vec<usize>,
    /// Tokens up to the end of each row, without padding.
    tokens: Vec<u64>,
}

/// Examples that are packed with each other: rows fill well, and the order of the epoch stays.
const WINDOW: usize = 4096;

impl Drawn {
    /// Draws what a stage reads, in rows of `context` positions, `rows` a batch. Errors: nothing to train on; a sequence that
    /// is too long; an end before the stage's.
    pub(crate) fn new(
        examples: Examples,
        stage: &Stage,
        context: usize,
        rows: u64,
        name: &str,
    ) -> Result<Drawn> {
        check(&examples, context)?;
        let mut firsts = vec![0];
        for source in &examples.sources {
            firsts.push(firsts[firsts.len() - 1] + source.examples.len());
        }
        let mut drawn = Drawn { examples, firsts, order: Vec::new(), ends: Vec::new(), tokens: Vec::new() };
        let (order, ends) = {
            let mut draw = Draw::new(&drawn, stage.stream("order"));
            let sizes: Vec<usize> = drawn.examples.all().map(size).collect();
            let mut pack =
                Pack { layout: drawn.examples.layout, context, sizes, order: Vec::new(), ends: Vec::new() };
            match stage.goal {
                Goal::Steps(steps) => {
                    let wanted = usize::try_from(steps.max(1).saturating_mul(rows)).unwrap_or(usize::MAX);
                    while pack.ends.len() < wanted {
                        let window = draw.take(pack.window());
                        if window.is_empty() {
                            return Err(ended(name, &pack, wanted));
                        }
                        pack.window_of(window);
                    }
                    pack.cut(wanted);
                }
                goal @ (Goal::Epochs(_) | Goal::Tokens(_)) => {
                    let mut all = draw.until(goal, &pack.sizes);
                    while !all.is_empty() {
                        let rest = all.split_off(pack.window().min(all.len()));
                        pack.window_of(all);
                        all = rest;
                    }
                }
            }
            (pack.order, pack.ends)
        };
        (drawn.order, drawn.ends) = (order, ends);
        let mut sum = 0;
        let rows = drawn.units(0, drawn.ends.len());
        let add = |row: &[usize]| {
            sum += row.iter().map(|number| size(drawn.example(*number)) as u64).sum::<u64>();
            sum
        };
        drawn.tokens = rows.into_iter().map(add).collect();
        Ok(drawn)
    }

    /// Rows of the whole stage; of pairs and prompts, examples.
    pub(crate) fn rows(&self) -> u64 {
        self.ends.len() as u64
    }

    /// Steps in a row that get the same batch.
    pub(crate) fn repeat(&self) -> u64 {
        self.examples.layout.repeat()
    }

    fn example(&self, number: usize) -> &Example {
        let source = self.firsts.partition_point(|first| *first <= number) - 1;
        &self.examples.sources[source].examples[number - self.firsts[source]]
    }

    /// Examples of the rows from `from` to `to`, row by row.
    fn units(&self, from: usize, to: usize) -> Vec<&[usize]> {
        let begin = |row: usize| if row == 0 { 0 } else { self.ends[row - 1] };
        (from..to.min(self.ends.len())).map(|row| &self.order[begin(row)..self.ends[row]]).collect()
    }

    /// Rows of the first `done` batches.
    fn rows_after(course: &Course, done: u64) -> usize {
        (course.tokens_after(done) / course.context().max(1)) as usize
    }

    /// Tokens of the first `done` batches, without padding.
    pub(crate) fn tokens_after(&self, course: &Course, done: u64) -> u64 {
        let rows = Self::rows_after(course, done.div_ceil(self.repeat())).min(self.tokens.len());
        rows.checked_sub(1).map_or(0, |last| self.tokens[last])
    }

    /// Tokens that the whole stage draws from each source, and passes over it.
    pub(crate) fn sources(&self) -> (Vec<u64>, Vec<f64>) {
        let count = self.examples.sources.len();
        let (mut tokens, mut times) = (vec![0; count], vec![0; count]);
        for number in &self.order {
            let source = self.firsts.partition_point(|first| first <= number) - 1;
            tokens[source] += size(self.example(*number)) as u64;
            times[source] += 1;
        }
        let passes = times
            .iter()
            .zip(&self.examples.sources)
            .map(|(n, source)| *n as f64 / source.examples.len().max(1) as f64);
        (tokens, passes.collect())
    }

    /// The batch of the step that follows `done` steps.
    pub(crate) fn batch(&self, stage: &Stage, course: &Course, done: u64) -> Result<Batch> {
        let round = done / self.repeat();
        let (from, to) = (Self::rows_after(course, round), Self::rows_after(course, round + 1));
        let mut units = self.units(from, to);
        if units.is_empty() {
            return Err(TrainError::Settings("a step after the last".to_owned()));
        }
        if self.examples.layout.of_prompts() {
            let place = |(row, unit): (usize, &&[usize])| Placed { example: unit[0], part: 0, row, at: 0..0 };
            return Ok(Batch {
                micros: Vec::new(),
                placed: vec![units.iter().enumerate().map(place).collect()],
            });
        }
        let length = |unit: &&[usize]| match self.examples.layout {
            Layout::Packed => unit.iter().map(|number| size(self.example(*number))).sum(),
            Layout::Rows | Layout::Prompts | Layout::Rounds(_) => {
                self.example(unit[0]).iter().map(Sequence::positions).max().unwrap_or(0)
            }
        };
        // Rows of a length stand together, so that little is padding.
        units.sort_by_key(|unit| std::cmp::Reverse(length(unit)));
        let longest = units.first().map_or(1, length).max(1) as u64;
        let rows_of_unit = if self.examples.layout == Layout::Rows {
            self.example(units[0][0]).len().max(1) as u64
        } else {
            1
        };
        let together = match stage.accumulate {
            Accumulate::Auto => micro_rows(units.len() as u64, longest * rows_of_unit),
            Accumulate::Parts(parts) => (units.len() as u64).div_ceil(parts.max(1)),
        };
        let rows = |units: &[&[usize]]| -> Vec<Row<'_>> {
            let parts =
                |n: usize| self.example(n).iter().enumerate().map(move |(part, s)| vec![(n, part, s)]);
            match self.examples.layout {
                Layout::Packed => units
                    .iter()
                    .map(|unit| unit.iter().map(|n| (*n, 0, &self.example(*n)[0])).collect())
                    .collect(),
                Layout::Rows | Layout::Prompts | Layout::Rounds(_) => {
                    units.iter().flat_map(|unit| parts(unit[0])).collect()
                }
            }
        };
        let groups: Vec<_> = units.chunks(together.max(1) as usize).map(rows).collect();
        Ok(Batch::of(groups.iter().map(Vec::as_slice)))
    }
}

/// Rows of sequences as one micro-batch, filled up to the longest. A sequence sees itself only; what fills a row sees nothing
/// and is no target.
pub fn micro_batch(rows: &[Row<'_>]) -> (MicroBatch, Vec<Placed>) {
    let length = |row: &Row<'_>| row.iter().map(|(.., s)| s.positions()).sum();
    let length: usize = rows.iter().map(length).max().unwrap_or(0);
    let mut batch = MicroBatch { rows: rows.len(), length, ..MicroBatch::default() };
    let mut placed = Vec::new();
    for (row, sequences) in rows.iter().enumerate() {
        let begin = row * length;
        for (example, part, sequence) in sequences {
            let (n, start) = (sequence.positions(), batch.inputs.len() - begin);
            batch.inputs.extend_from_slice(&sequence.ids[..n]);
            batch.doc_start.resize(begin + start + n, start as u32);
            batch.targets.resize(begin + start + n, IGNORE);
            for at in sequence.counted.iter().cloned().flatten().filter(|at| (1..=n).contains(at)) {
                batch.targets[begin + start + at - 1] = sequence.ids[at];
            }
            placed.push(Placed { example: *example, part: *part, row, at: start..start + n });
        }
        let filled = batch.inputs.len() - begin;
        batch.inputs.resize(begin + length, 0);
        batch.doc_start.resize(begin + length, filled as u32);
        batch.targets.resize(begin + length, IGNORE);
    }
    (batch, placed)
}

/// Positions of all sequences of an example.
fn size(example: &Example) -> usize {
    example.iter().map(Sequence::positions).sum()
}

fn check(examples: &Examples, context: usize) -> Result<()> {
    let refuse = |words: String| Err(TrainError::Settings(words));
    if let Some(empty) = examples.sources.iter().find(|source| source.examples.is_empty()) {
        return refuse(format!("`{}` has no example to train on", empty.name));
    }
    let long = examples.all().flatten().find(|sequence| sequence.positions() > context);
    if let Some(long) = long {
        return refuse(format!("an example of {} tokens does not fit into {context}", long.ids.len()));
    }
    let counts =
        |source: &ExampleSource| source.examples.iter().flatten().any(|sequence| sequence.targets() > 0);
    if !examples.layout.of_prompts()
        && let Some(silent) = examples.sources.iter().find(|source| !counts(source))
    {
        let words = "every token is masked: it holds nothing that the loss counts (what does `loss_on` say, and who speaks?)";
        return refuse(format!("of `{}` {words}", silent.name));
    }
    Ok(())
}

fn ended(name: &str, pack: &Pack, wanted: usize) -> TrainError {
    let (drawn, wanted) = (pack.ends.len() as u64, wanted as u64);
    let context = pack.context as u64;
    TrainError::DataEnded { stage: name.to_owned(), drawn: drawn * context, wanted: wanted * context }
}

/// The next examples of a mixture.
struct Draw<'a> {
    drawn: &'a Drawn,
    seed: u64,
    sources: Vec<At>,
}

/// How far one source was read.
struct At {
    epoch: u64,
    next: usize,
    order: Vec<usize>,
    tokens: u64,
}

impl<'a> Draw<'a> {
    fn new(drawn: &'a Drawn, seed: u64) -> Draw<'a> {
        let sources = drawn.examples.sources.iter().enumerate();
        let sources = sources.map(|(source, it)| At {
            epoch: 0,
            next: 0,
            order: shuffled(it.examples.len(), seed, source, 0),
            tokens: 0,
        });
        Draw { drawn, seed, sources: sources.collect() }
    }

    /// The number of the next example; none where every source was read as often as it may be.
    fn next(&mut self) -> Option<usize> {
        let settings = &self.drawn.examples.sources;
        let open = |at: &At, source: &ExampleSource| source.max_epochs.is_none_or(|most| at.epoch < most);
        let all =
            || self.sources.iter().zip(settings).enumerate().filter(|(_, (at, source))| open(at, source));
        let (tokens, shares) =
            all().fold((0, 0.0), |(t, s), (_, (at, source))| (t + at.tokens, s + source.share));
        let part = |share: f64| if shares > 0.0 { share / shares } else { 1.0 };
        let lag = |(source, (at, it)): (usize, (&At, &ExampleSource))| {
            // As if one token more were drawn: at the beginning the largest share goes first.
            (part(it.share) * (tokens + 1) as f64 - at.tokens as f64, source)
        };
        // The first of equals.
        let best = all().map(lag).reduce(|best, next| if next.0 > best.0 { next } else { best });
        let (_, source) = best?;
        let number = self.drawn.firsts[source] + self.sources[source].order[self.sources[source].next];
        let at = &mut self.sources[source];
        at.tokens += size(self.drawn.example(number)).max(1) as u64;
        at.next += 1;
        if at.next == at.order.len() {
            (at.epoch, at.next) = (at.epoch + 1, 0);
            at.order = shuffled(at.order.len(), self.seed, source, at.epoch);
        }
        Some(number)
    }

    fn take(&mut self, count: usize) -> Vec<usize> {
        std::iter::from_fn(|| self.next()).take(count).collect()
    }

    /// All examples of a stage of so many epochs or tokens. An epoch of a mixture has as many tokens as its parts hold.
    fn until(&mut self, goal: Goal, sizes: &[usize]) -> Vec<usize> {
        let total: u64 = sizes.iter().map(|size| *size as u64).sum();
        let (count, tokens) = match goal {
            Goal::Epochs(epochs) if self.sources.len() == 1 => {
                ((epochs * sizes.len() as f64).round().max(1.0) as usize, u64::MAX)
            }
            Goal::Epochs(epochs) => (usize::MAX, (epochs * total as f64).round().max(1.0) as u64),
            Goal::Tokens(tokens) => (usize::MAX, tokens.max(1)),
            Goal::Steps(_) => (0, 0),
        };
        let (mut all, mut sum) = (Vec::new(), 0);
        while all.len() < count
            && sum < tokens
            && let Some(number) = self.next()
        {
            sum += sizes[number].max(1) as u64;
            all.push(number);
        }
        all
    }
}

/// The order of a source in an epoch (Fisher and Yates).
fn shuffled(count: usize, seed: u64, source: usize, epoch: u64) -> Vec<usize> {
    let place = ((source as u64) << 40).wrapping_add(epoch).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut random = ChaCha8Rng::seed_from_u64(seed ^ place);
    let mut order: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        let other = ((u128::from(random.next_u64()) * (last as u128 + 1)) >> 64) as usize;
        order.swap(last, other);
    }
    order
}

/// Examples become rows.
struct Pack {
    layout: Layout,
    context: usize,
    sizes: Vec<usize>,
    order: Vec<usize>,
    ends: Vec<usize>,
}

impl Pack {
    /// How many examples are packed with each other: equal parts of a pass, so that no row holds one example twice.
    fn window(&self) -> usize {
        let all = self.sizes.len().max(1);
        all.div_ceil(all.div_ceil(WINDOW))
    }

    /// Rows of these examples, the longest first into the fullest row that has room; rows in the order of their first example.
    fn window_of(&mut self, examples: Vec<usize>) {
        let mut rows: Vec<Vec<usize>> = Vec::new();
        if self.layout == Layout::Packed {
            let mut by_size: Vec<usize> = (0..examples.len()).collect();
            by_size.sort_by_key(|at| std::cmp::Reverse(self.sizes[examples[*at]]));
            let mut open: BTreeSet<(usize, usize)> = BTreeSet::new();
            for at in by_size {
                let size = self.sizes[examples[at]];
                let row = match open.range((size, 0)..).next().copied() {
                    Some((room, row)) => {
                        open.remove(&(room, row));
                        open.insert((room - size, row));
                        row
                    }
                    None => {
                        open.insert((self.context.saturating_sub(size), rows.len()));
                        rows.push(Vec::new());
                        rows.len() - 1
                    }
                };
                rows[row].push(at);
            }
            rows.iter_mut().for_each(|row| row.sort_unstable());
            rows.sort_by_key(|row| row.first().copied());
        } else {
            rows.extend((0..examples.len()).map(|at| vec![at]));
        }
        for row in rows {
            self.order.extend(row.into_iter().map(|at| examples[at]));
            self.ends.push(self.order.len());
        }
    }

    fn cut(&mut self, rows: usize) {
        self.ends.truncate(rows);
        self.order.truncate(self.ends.last().copied().unwrap_or(0));
    }
}

/// Examples one to a row, in micro-batches: to be measured.
pub(super) fn one_by_one(examples: &[Example]) -> Vec<MicroBatch> {
    let mut sequences: Vec<&Sequence> = examples.iter().flatten().filter(|s| s.targets() > 0).collect();
    sequences.sort_by_key(|sequence| sequence.positions());
    let mut batches = Vec::new();
    let mut rest = sequences.as_slice();
    while let Some(longest) = rest.first().map(|_| rest[rest.len() - 1].positions()) {
        let rows = micro_rows(rest.len() as u64, longest as u64).max(1) as usize;
        let (before, last) = rest.split_at(rest.len() - rows.min(rest.len()));
        batches.push(micro_batch(&last.iter().map(|s| vec![(0, 0, *s)]).collect::<Vec<_>>()).0);
        rest = before;
    }
    batches
}
