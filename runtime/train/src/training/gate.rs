//! The gate of a context that grows: a part of the stage ends when the needle test is passed at its length.

use llmp_data::tokens::TokenShard;
use llmp_stdlib::Event;

use super::metrics::Line;
use super::{Plan, State};
use crate::course::{Batch, Context, Course, Gate as Test, Grow, OnFail};
use crate::error::{Result, TrainError};
use crate::folder::Vocabulary;
use crate::host::Host;
use crate::needle;
use crate::stage::Stage;

/// How often a part goes on for as long again before the stage gives up.
const EXTENSIONS: u64 = 3;

/// The gate of a stage.
#[derive(Debug)]
pub(super) struct Gate<'a> {
    score: f64,
    on_fail: OnFail,
    haystack: Vec<u32>,
    seed: u64,
    vocabulary: &'a Vocabulary,
}

/// The growth of a stage with its test, where it has one.
fn gated(stage: &Stage) -> Option<(&Grow, &Test)> {
    match (&stage.context, &stage.batch) {
        (_, Some(Batch::Ramp(_))) | (Context::Fixed(_), _) => None,
        (Context::Grow(grow), _) => Some((grow, grow.gate.as_ref()?)),
    }
}

impl<'a> Gate<'a> {
    /// The gate that a stage asks for; facts are hidden in the text of its first source.
    pub(super) fn new(
        stage: &Stage,
        shards: &[TokenShard],
        vocabulary: &'a Vocabulary,
    ) -> Result<Option<Gate<'a>>> {
        let (Some((grow, Test::Needle(test))), Some(shard)) = (gated(stage), shards.first()) else {
            return Ok(None);
        };
        let haystack = needle::haystack(shard, grow.to as usize)?;
        let (score, on_fail, seed) = (test.score, grow.on_fail, stage.stream("needle"));
        Ok(Some(Gate { score, on_fail, haystack, seed, vocabulary }))
    }

    /// Tests the model at the end of a part. Where the test is failed the part goes on for as long again. Errors: it has
    /// done so often enough, or the stage is told to stop then.
    pub(super) fn test(
        &self,
        state: &mut State,
        plan: &mut Plan,
        line: &mut Line,
        host: &Host<'_>,
    ) -> Result<()> {
        let Some(part) = plan.part_that_ends(&state.extended, state.done) else { return Ok(()) };
        let context = plan.base.0[part].context;
        let found =
            needle::ask(&state.model, self.vocabulary, &self.haystack, context as usize, self.seed, host)?;
        line.needle = Some(found.share());
        if found.share() + 1e-9 >= self.score {
            return Ok(());
        }
        let times = state.extended[part];
        if self.on_fail == OnFail::Stop || times == EXTENSIONS {
            let (stage, score) = (host.step.to_owned(), self.score);
            return Err(TrainError::Gate { stage, context, found, score, times });
        }
        state.extended[part] += 1;
        plan.course = extended(&plan.base, &state.extended);
        if let Some(average) = &mut state.average {
            average.postpone();
        }
        let message = format!(
            "{} of {} facts hidden in {context} tokens are found, the gate asks for {:.0}%: this part goes on for as \
             long again ({} of at most {EXTENSIONS} times)",
            found.found,
            found.hidden,
            100.0 * self.score,
            times + 1
        );
        host.tell(Event::HeldUp { step: host.step.to_owned(), message });
        Ok(())
    }
}

/// A course whose parts go on for as long again, so many times each.
pub(super) fn extended(base: &Course, times: &[u64]) -> Course {
    let times = times.iter().copied().chain(std::iter::repeat(0));
    let legs = base.0.iter().zip(times);
    Course(legs.flat_map(|(leg, times)| std::iter::repeat_n(*leg, 1 + times as usize)).collect())
}

impl Plan {
    /// The part that ends with `done` steps.
    pub(super) fn part_that_ends(&self, extended: &[u64], done: u64) -> Option<usize> {
        let ends = self.base.0.iter().zip(extended).scan(0, |end, (leg, times)| {
            *end += leg.steps * (1 + times);
            Some(*end)
        });
        ends.enumerate().find(|(_, end)| *end == done).map(|(part, _)| part)
    }

    /// The step of the schedule that follows `done` steps: it stands still while a part goes on for longer.
    pub(super) fn scheduled(&self, extended: &[u64], done: u64) -> u64 {
        let (mut planned, mut left) = (0, done);
        for (leg, times) in self.base.0.iter().zip(extended) {
            let whole = leg.steps * (1 + times);
            if left < whole {
                return planned + left.min(leg.steps - 1);
            }
            planned += leg.steps;
            left -= whole;
        }
        planned + left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::course::Leg;
    use crate::schedules::{Constant, Schedule};

    #[test]
    fn a_schedule_stands_still_while_a_part_goes_on() {
        let leg = |context, steps| Leg { context, batch: 8, tokens: 8 * steps, steps };
        let base = Course(vec![leg(4, 3), leg(8, 2)]);
        let schedule = Schedule::Constant(Constant { peak: 0.1, warmup: llmp_stdlib::arg::Length::Steps(0) });
        let plan = Plan { course: base.clone(), base, schedule, warmup: 0, over: 5 };
        let scheduled =
            |extended: &[u64]| (0..9).map(|done| plan.scheduled(extended, done)).collect::<Vec<_>>();
        assert_eq!(scheduled(&[0, 0]), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(scheduled(&[1, 0]), [0, 1, 2, 2, 2, 2, 3, 4, 5]);
        let ends = |extended: &[u64]| (1..9).filter_map(|done| plan.part_that_ends(extended, done)).count();
        assert_eq!((ends(&[0, 0]), ends(&[1, 0])), (2, 2));
        assert_eq!(plan.part_that_ends(&[1, 0], 3), None);
        assert_eq!(plan.part_that_ends(&[1, 0], 8), Some(1));
        let course = extended(&plan.base, &[1, 0]);
        assert_eq!((course.steps(), course.tokens()), (8, 64));
    }
}
