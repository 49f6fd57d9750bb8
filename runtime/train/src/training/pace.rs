//! When a checkpoint is due: often enough to lose little work, seldom enough to cost little time.

use crate::course::Course;
use crate::settings::Interval;

/// A kill should not cost more than half a minute of work.
const OFTEN: f64 = 20.0;

/// The longest time between two checkpoints of a stage that counts tokens or steps.
const LONGEST: f64 = 300.0;

/// Saving takes at most one part in this many of the time.
const SHARE: f64 = 50.0;

/// The rule, and when the last checkpoint was.
#[derive(Debug)]
pub(super) struct Pace {
    /// Longest time between two checkpoints, in seconds.
    longest: f64,
    /// Steps between two checkpoints.
    steps: Option<u64>,
    last_step: u64,
    last_time: f64,
    /// Seconds that the last save took.
    cost: f64,
    asked: f64,
}

impl Pace {
    /// A rule for a stage that has done `done` steps at time `now`.
    pub(super) fn new(distance: Interval, course: &Course, done: u64, now: f64) -> Pace {
        let of_tokens = |tokens: u64| (tokens / course.mean_batch()).max(1);
        let (longest, steps) = match distance {
            Interval::Seconds(seconds) => (seconds, None),
            Interval::Steps(steps) => (LONGEST, Some(steps.max(1))),
            Interval::Tokens(tokens) => (LONGEST, Some(of_tokens(tokens))),
            Interval::Share(share) => (LONGEST, Some(of_tokens((share * course.drawn() as f64) as u64))),
        };
        Pace { longest, steps, last_step: done, last_time: now, cost: 0.0, asked: now }
    }

    /// Whether a checkpoint is due after `done` steps at time `now`.
    pub(super) fn due(&mut self, done: u64, now: f64) -> bool {
        self.asked = now;
        let by_steps = self.steps.is_some_and(|n| done.is_multiple_of(n) && done > self.last_step);
        let interval = OFTEN.max(SHARE * self.cost).min(self.longest);
        by_steps || (done > self.last_step && now - self.last_time >= interval)
    }

    /// A checkpoint was written; `now` is after it, the last question was before it.
    pub(super) fn saved(&mut self, done: u64, now: f64) {
        self.cost = now - self.asked;
        self.last_step = done;
        self.last_time = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::course::Leg;

    fn course() -> Course {
        Course(vec![Leg { context: 10, batch: 100, tokens: 10_000, steps: 100 }])
    }

    #[test]
    fn cheap_saves_come_every_twenty_seconds() {
        let mut pace = Pace::new(Interval::Seconds(300.0), &course(), 0, 0.0);
        assert!(!pace.due(1, 19.0) && pace.due(2, 20.0));
        pace.saved(2, 20.1);
        assert!(!pace.due(3, 40.0) && pace.due(3, 40.2));
    }

    #[test]
    fn dear_saves_take_a_fiftieth_of_the_time_until_the_longest_distance() {
        let mut pace = Pace::new(Interval::Seconds(300.0), &course(), 0, 0.0);
        assert!(pace.due(1, 20.0));
        pace.saved(1, 22.0);
        assert!(!pace.due(2, 121.0) && pace.due(2, 122.0));
        pace.saved(2, 142.0);
        assert!(!pace.due(3, 441.0) && pace.due(3, 442.0));
    }

    #[test]
    fn steps_and_tokens_count() {
        let mut pace = Pace::new(Interval::Tokens(500), &course(), 0, 0.0);
        assert!(!pace.due(0, 0.0) && !pace.due(4, 0.0) && pace.due(5, 0.0));
        let mut pace = Pace::new(Interval::Share(0.1), &course(), 0, 0.0);
        assert!(!pace.due(9, 0.0) && pace.due(10, 0.0));
    }
}
