//! Batches and contexts that change during a stage, and the legs that a stage then has, in exact tokens and steps.

use llmp_stdlib::arg::{BatchSize, Length, Tokens};
use llmp_stdlib::{Arg, Param, Problem, Ty, Value};

use crate::budget::{Budget, Goal};
use crate::schedules::{Over, Schedule};

/// One part of a ramp.
#[derive(Debug, Clone, PartialEq)]
pub struct Phase {
    /// Size of a batch.
    pub size: BatchSize,
    /// Tokens of a sequence; without it those of the phase before, or of the stage.
    pub context: Option<u64>,
    /// Tokens of the stage after which it begins.
    pub after: u64,
}

impl Arg for Phase {
    const TY: Ty = {
        static FIELDS: [Param; 3] = [
            Param {
                name: "size",
                doc: "Size of a batch.",
                ty: BatchSize::TY,
                default: None,
                binary: false,
                many: false,
                writes: false,
            },
            Param {
                name: "context",
                doc: "Tokens of a sequence; without it those of the phase before, or of the stage.",
                ty: <Option<u64> as Arg>::TY,
                default: Some("none"),
                binary: true,
                many: false,
                writes: false,
            },
            Param {
                name: "after",
                doc: "Tokens of the stage after which the phase begins.",
                ty: Tokens::TY,
                default: Some("0"),
                binary: false,
                many: false,
                writes: false,
            },
        ];
        Ty::Record(&FIELDS)
    };

    fn read(value: &Value) -> Result<Self, String> {
        let Value::Record(record) = value else { return Err(format!("expected a phase, found {value}")) };
        let get = |name: &str| record.get(name).ok_or_else(|| format!("a phase needs `{name}`"));
        Ok(Phase {
            size: BatchSize::read(get("size")?)?,
            context: record.get("context").map_or(Ok(None), <Option<u64>>::read)?,
            after: record.get("after").map_or(Ok(Tokens(0)), Tokens::read)?.0,
        })
    }
}

llmp_stdlib::def! {
    /// A batch, and with it a context, that changes during the stage at fixed numbers of tokens.
    ///
    /// Sizes count exactly: the batches of a phase differ by at most one sequence, so that their sum keeps to the size.
    ///
    /// ```llmp
    /// batch = ramp([{ size = 4M tokens, context = 4Ki }, { size = 8M tokens, context = 8Ki, after = 252M tokens }])
    /// ```
    Ramp = "ramp", rev 1, check check_ramp {
        /// The phases in order; the first begins with the stage.
        phases: Vec<Phase>,
    }
}

fn check_ramp(it: &Ramp) -> Vec<Problem> {
    let wrong = |message: String| vec![Problem::error("LLMP0603", "phases", message)];
    let Some(first) = it.phases.first() else { return wrong("a ramp has at least one phase".into()) };
    if first.after != 0 {
        return wrong(format!(
            "the first phase begins after {} tokens, not with the stage",
            spaced(first.after)
        ));
    }
    let mut context = first.context;
    for pair in it.phases.windows(2) {
        let [before, phase] = pair else { continue };
        if phase.after <= before.after {
            let (this, last) = (spaced(phase.after), spaced(before.after));
            return wrong(format!(
                "a phase that begins after {this} tokens follows one that begins after {last}"
            ));
        }
        if let (Some(last), Some(next)) = (context, phase.context)
            && next < last
        {
            return wrong(format!("the context shrinks from {last} to {next}"));
        }
        context = phase.context.or(context);
    }
    let empty =
        |p: &Phase| matches!(p.size, BatchSize::Tokens(0) | BatchSize::Sequences(0)) || p.context == Some(0);
    if it.phases.iter().any(empty) {
        return vec![Problem::error("LLMP0209", "phases", "a batch has at least one sequence of one token")];
    }
    Vec::new()
}

llmp_stdlib::family! {
    /// A batch that changes during a stage.
    BatchPlan = "batch plan" { Ramp }
}

/// The batch of a stage.
#[derive(Debug, Clone, PartialEq)]
pub enum Batch {
    /// One size.
    Fixed(BatchSize),
    /// One size after the other.
    Ramp(Ramp),
}

impl Arg for Batch {
    const TY: Ty = Ty::OneOf(&[BatchSize::TY, BatchPlan::TY]);
    fn read(value: &Value) -> Result<Self, String> {
        match BatchSize::read(value) {
            Ok(size) => Ok(Batch::Fixed(size)),
            Err(_) => BatchPlan::read(value).map(|BatchPlan::Ramp(ramp)| Batch::Ramp(ramp)),
        }
    }
}

llmp_stdlib::def! {
    /// A part ends when a fact is found again wherever it is hidden in a text of the part's length.
    ///
    /// The text is the beginning of the stage's first source, read in a row. One fact is hidden in it, at ten places from its
    /// beginning to its end, in ten questions: `The number of the red locker is 58213. Keep it in mind: the red locker has the
    /// number 58213.`, each time with another number. Behind the text stands `What is the number of the red locker? The
    /// number of the red locker is`; text, question and answer fill the context. The fact is found if the likeliest
    /// continuation, token by token, begins with the number.
    ///
    /// ```llmp
    /// context = grow(from = 8Ki, to = 128Ki, stages = 6, gate = needle(score = 90%))
    /// ```
    Needle = "needle", rev 1, check check_needle {
        /// Share of the ten facts that must be found.
        score: f64 = "100%",
    }
}

fn check_needle(it: &Needle) -> Vec<Problem> {
    let outside = !(0.0..=1.0).contains(&it.score);
    let problem = || Problem::error("LLMP0209", "score", "a share lies between 0% and 100%");
    outside.then(problem).into_iter().collect()
}

llmp_stdlib::family! {
    /// What must hold before a part of a growing context ends.
    Gate = "gate" { Needle }
}

llmp_stdlib::choices! {
    /// What happens at a gate that stays shut.
    OnFail = "failed gate" {
        /// The part goes on for as long again, up to three times; then the stage stops with an error. The tokens come on
        /// top of those of the stage, and the rate stands still meanwhile.
        Extend = "extend",
        /// The stage stops with an error.
        Stop = "stop",
    }
}

llmp_stdlib::def! {
    /// A context that grows in steps of one ratio; every step gets an equal share of the stage's tokens.
    ///
    /// ```llmp
    /// context = grow(from = 8Ki, to = 128Ki, stages = 6, gate = needle(score = 100%), on_fail = extend)
    /// ```
    Grow = "grow", rev 1, check check_grow {
        /// Tokens of a sequence before the stage.
        @binary from: u64,
        /// Tokens of a sequence in its last part.
        @binary to: u64,
        /// Increases, the last one to `to`.
        stages: u64,
        /// The contexts one by one, where they do not grow by one ratio.
        through: Vec<u64> = "[]",
        /// What must hold at one context before the next, and at the last one before the stage ends.
        gate: Option<Gate> = "none",
        /// What happens where it does not hold.
        on_fail: OnFail = "extend",
    }
}

/// The fewest tokens into which a fact and its question may fit.
const SHORTEST: u64 = 64;

fn check_grow(it: &Grow) -> Vec<Problem> {
    let wrong = |path: &str, message: String| vec![Problem::error("LLMP0603", path, message)];
    if it.from == 0 || it.stages == 0 {
        return vec![Problem::error(
            "LLMP0209",
            "stages",
            "a context grows at least once, from at least 1 token",
        )];
    }
    if it.to <= it.from {
        return wrong("to", format!("the context would shrink from {} to {}", it.from, it.to));
    }
    let shortest = it.contexts().into_iter().min().unwrap_or(it.from);
    if it.gate.is_some() && shortest < SHORTEST {
        return wrong("gate", format!("no fact fits into {shortest} tokens (the fewest: {SHORTEST})"));
    }
    if it.through.is_empty() {
        if it.stages > it.to - it.from {
            return wrong("stages", format!("{} increases from {} to {}", it.stages, it.from, it.to));
        }
        return Vec::new();
    }
    let ordered = it.through.windows(2).all(|pair| pair[0] < pair[1]) && it.through[0] > it.from;
    if !ordered || it.through.last() != Some(&it.to) {
        return wrong("through", format!("the contexts must grow from {} to {}", it.from, it.to));
    }
    if it.through.len() as u64 != it.stages {
        return wrong("through", format!("{} contexts for {} increases", it.through.len(), it.stages));
    }
    Vec::new()
}

impl Grow {
    /// The contexts of its parts: at one ratio, rounded to multiples of a 16th of `from`.
    pub fn contexts(&self) -> Vec<u64> {
        if !self.through.is_empty() {
            return self.through.clone();
        }
        let (from, to, stages) = (self.from.max(1) as f64, self.to as f64, self.stages.clamp(1, 64));
        let grain = (self.from / 16).max(1);
        let part = |i: u64| {
            let wanted = from * (to / from).powf(i as f64 / stages as f64);
            ((wanted / grain as f64).round() as u64 * grain).max(1)
        };
        (1..stages).map(part).chain([self.to]).collect()
    }
}

llmp_stdlib::family! {
    /// A context that changes during a stage.
    ContextPlan = "context plan" { Grow }
}

/// Tokens of a sequence.
#[derive(Debug, Clone, PartialEq)]
pub enum Context {
    /// One number.
    Fixed(u64),
    /// One after the other.
    Grow(Grow),
}

impl Arg for Context {
    const TY: Ty = Ty::OneOf(&[Ty::Int, ContextPlan::TY]);
    fn read(value: &Value) -> Result<Self, String> {
        match u64::read(value) {
            Ok(context) => Ok(Context::Fixed(context)),
            Err(_) => ContextPlan::read(value).map(|ContextPlan::Grow(grow)| Context::Grow(grow)),
        }
    }
}

/// A part of a stage with one batch and one context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leg {
    /// Tokens of a sequence.
    pub context: u64,
    /// Tokens of a batch, in the mean over the leg.
    pub batch: u64,
    /// Tokens consumed.
    pub tokens: u64,
    /// Optimizer steps; the last one may be short.
    pub steps: u64,
}

impl Leg {
    fn new(context: u64, batch: u64, tokens: u64) -> Leg {
        let (context, batch) = (context.max(1), batch.max(context).max(1));
        Leg { context, batch, tokens, steps: tokens.div_ceil(batch).max(1) }
    }

    fn of(budget: &Budget) -> Leg {
        Leg {
            context: budget.context,
            batch: budget.batch_tokens(),
            tokens: budget.tokens(),
            steps: budget.steps(),
        }
    }

    /// Sequences of its largest batch.
    pub fn rows(&self) -> u64 {
        self.batch.div_ceil(self.context)
    }

    /// Sequences of all its batches.
    fn sequences(&self) -> u64 {
        (self.tokens.saturating_add(self.context / 2) / self.context).max(self.steps)
    }

    /// Sequences of its first `steps` batches: their sizes differ by at most one, but for the last one.
    fn sequences_after(&self, steps: u64) -> u64 {
        let even = u128::from(steps) * u128::from(self.batch) / u128::from(self.context);
        let all = self.sequences();
        let left = self.steps.saturating_sub(steps);
        if left == 0 {
            all
        } else {
            u64::try_from(even).unwrap_or(u64::MAX).clamp(steps, all - left.min(all))
        }
    }
}

/// A whole stage as legs, in order; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course(pub Vec<Leg>);

impl Course {
    /// The legs of a stage whose sequences have `context` tokens where nothing else says so. `None` when the goal
    /// counts epochs and `available` (tokens of the only source) is not known.
    pub fn new(
        goal: Goal,
        batch: Option<&Batch>,
        context: &Context,
        available: Option<u64>,
    ) -> Option<Course> {
        match (batch, context) {
            (Some(Batch::Ramp(ramp)), Context::Fixed(context)) => ramped(goal, ramp, *context, available),
            (Some(Batch::Ramp(ramp)), Context::Grow(grow)) => ramped(goal, ramp, grow.to, available),
            (None, Context::Fixed(context)) => single(goal, None, *context, available),
            (Some(Batch::Fixed(size)), Context::Fixed(context)) => {
                single(goal, Some(*size), *context, available)
            }
            (None, Context::Grow(grow)) => grown(goal, None, grow, available),
            (Some(Batch::Fixed(size)), Context::Grow(grow)) => grown(goal, Some(*size), grow, available),
        }
    }

    /// Optimizer steps.
    pub fn steps(&self) -> u64 {
        self.0.iter().map(|leg| leg.steps).fold(0, u64::saturating_add)
    }

    /// Tokens consumed.
    pub fn tokens(&self) -> u64 {
        self.0.iter().map(|leg| leg.tokens).fold(0, u64::saturating_add)
    }

    /// The leg of the batch that follows `done` steps, and the sequences of that batch; `None` at the end.
    pub fn batch_at(&self, done: u64) -> Option<(Leg, u64)> {
        let mut before = 0;
        for leg in &self.0 {
            if done - before < leg.steps {
                let step = done - before;
                return Some((*leg, leg.sequences_after(step + 1) - leg.sequences_after(step)));
            }
            before += leg.steps;
        }
        None
    }

    /// Tokens of the first `done` batches, in whole sequences.
    pub fn tokens_after(&self, done: u64) -> u64 {
        let mut rest = done;
        let legs = self.0.iter().map(|leg| {
            let steps = rest.min(leg.steps);
            rest -= steps;
            leg.sequences_after(steps).saturating_mul(leg.context)
        });
        legs.fold(0, u64::saturating_add)
    }

    /// Tokens of all batches, in whole sequences.
    pub fn drawn(&self) -> u64 {
        self.tokens_after(self.steps())
    }

    /// FLOPs of forward and backward over all batches.
    pub fn flops(&self, sizes: &llmp_nn::Architecture) -> f64 {
        self.0.iter().map(|leg| sizes.flops_per_token(leg.context as f64) * leg.tokens as f64).sum()
    }

    /// FLOPs of forward and backward over `tokens` of the batch after `done` batches.
    pub fn flops_at(&self, done: u64, tokens: u64, sizes: &llmp_nn::Architecture) -> f64 {
        let context = self.batch_at(done).map_or(0, |(leg, _)| leg.context);
        sizes.flops_per_token(context as f64) * tokens as f64
    }

    /// The longest context.
    pub fn context(&self) -> u64 {
        self.0.iter().map(|leg| leg.context).max().unwrap_or(1)
    }

    /// Tokens of a batch in the mean over the stage.
    pub fn mean_batch(&self) -> u64 {
        (self.drawn() / self.steps().max(1)).max(1)
    }

    /// Warm-up and horizon of a schedule in steps of this stage.
    pub fn schedule(&self, schedule: &Schedule, available: Option<u64>) -> Option<(u64, u64)> {
        let ramp = schedule.shape().ramp();
        let warmup = self.steps_of(ramp.warmup, available)?;
        let over = match ramp.over {
            None | Some(Over::Stage) => self.steps(),
            Some(Over::Length(length)) => self.steps_of(length, available)?,
        };
        Some((warmup, over))
    }

    /// Steps after which the batch or the context changes.
    pub fn switches(&self) -> Vec<u64> {
        let ends = self.0.iter().scan(0u64, |done, leg| {
            *done = done.saturating_add(leg.steps);
            Some(*done)
        });
        ends.take(self.0.len().saturating_sub(1)).collect()
    }

    /// A length as steps from the start of this stage, to the nearest; `None` for epochs without `available`.
    pub fn steps_of(&self, length: Length, available: Option<u64>) -> Option<u64> {
        match length {
            Length::Steps(steps) => Some(steps),
            Length::Tokens(tokens) => Some(self.steps_of_tokens(tokens as f64)),
            Length::Share(share) => Some((share * self.steps() as f64).round() as u64),
            Length::Epochs(epochs) => available.map(|all| self.steps_of_tokens(epochs * all as f64)),
        }
    }

    fn steps_of_tokens(&self, tokens: f64) -> u64 {
        let (mut rest, mut steps) = (tokens, 0u64);
        let last = self.0.len().saturating_sub(1);
        for (index, leg) in self.0.iter().enumerate() {
            if index == last || rest < leg.tokens as f64 {
                return steps.saturating_add((rest / leg.batch as f64).round() as u64);
            }
            rest -= leg.tokens as f64;
            steps = steps.saturating_add(leg.steps);
        }
        steps
    }
}

fn single(goal: Goal, size: Option<BatchSize>, context: u64, available: Option<u64>) -> Option<Course> {
    Some(Course(vec![Leg::of(&Budget::new(goal, size, context, available)?)]))
}

fn grown(goal: Goal, size: Option<BatchSize>, grow: &Grow, available: Option<u64>) -> Option<Course> {
    let contexts = grow.contexts();
    let parts = contexts.len() as u64;
    let part = |all: u64, index: u64| (u128::from(all) * u128::from(index) / u128::from(parts)) as u64;
    let share = |all: u64, index: u64| part(all, index + 1) - part(all, index);
    let leg = |(index, context): (usize, &u64)| {
        let index = index as u64;
        let part = match goal {
            Goal::Tokens(tokens) => Goal::Tokens(share(tokens, index)),
            Goal::Steps(steps) => Goal::Steps(share(steps, index)),
            Goal::Epochs(epochs) => Goal::Tokens(share((epochs * available? as f64).round() as u64, index)),
        };
        Some(Leg::of(&Budget::new(part, size, *context, available)?))
    };
    contexts.iter().enumerate().map(leg).collect::<Option<_>>().map(Course)
}

fn ramped(goal: Goal, ramp: &Ramp, context: u64, available: Option<u64>) -> Option<Course> {
    let tokens = match goal {
        Goal::Tokens(tokens) => Some(tokens),
        Goal::Epochs(epochs) => Some((epochs * available? as f64).round() as u64),
        Goal::Steps(_) => None,
    };
    let (mut context, mut legs, mut done) = (context, Vec::new(), 0u64);
    for (index, phase) in ramp.phases.iter().enumerate() {
        context = phase.context.unwrap_or(context).max(1);
        let batch = match phase.size {
            BatchSize::Tokens(tokens) => tokens.max(1),
            BatchSize::Sequences(rows) => rows.max(1).saturating_mul(context),
        };
        let next = ramp.phases.get(index + 1).map(|p| p.after);
        let end = next.unwrap_or(u64::MAX).min(tokens.unwrap_or(u64::MAX));
        let mut length = end.saturating_sub(phase.after);
        if let Goal::Steps(steps) = goal {
            length = length.min((steps - done).saturating_mul(batch));
        }
        if length > 0 {
            let leg = Leg::new(context, batch, length);
            done += leg.steps;
            legs.push(leg);
        }
    }
    (!legs.is_empty()).then_some(Course(legs))
}

/// A number with thousands marked: `252_000_000`.
pub(crate) fn spaced(n: u64) -> String {
    let digits = n.to_string();
    let grouped: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|g| std::str::from_utf8(g).unwrap_or_default()).collect();
    grouped.join("_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_of_a_course_add_up_to_its_legs() {
        // A batch of 100 tokens in sequences of 32: 3 of them, sometimes 4; then 50-token sequences, 4 at a time.
        let course = Course(vec![Leg::new(32, 100, 1_000), Leg::new(50, 200, 500)]);
        let at = |done| course.batch_at(done).map(|(leg, rows)| (leg.context, rows));
        let batches: Vec<(u64, u64)> = (0..course.steps()).map(|done| at(done).unwrap()).collect();
        let rows: Vec<u64> = batches.iter().map(|b| b.1).collect();
        assert_eq!(rows, [3, 3, 3, 3, 3, 3, 3, 4, 3, 3, 4, 4, 2]);
        assert_eq!((batches[9].0, batches[10].0), (32, 50));
        assert_eq!((course.tokens_after(10), course.drawn()), (31 * 32, 31 * 32 + 500));
        assert_eq!(course.batch_at(course.steps()), None);
        // A batch that is smaller than a sequence is one sequence.
        assert_eq!(Leg::new(64, 10, 640).steps, 10);
    }

    fn phase(size: u64, context: u64, after: u64) -> Phase {
        Phase { size: BatchSize::Tokens(size), context: Some(context), after }
    }

    fn llama() -> Batch {
        Batch::Ramp(Ramp {
            phases: vec![
                phase(4_000_000, 4096, 0),
                phase(8_000_000, 8192, 252_000_000),
                phase(16_000_000, 8192, 2_870_000_000_000),
            ],
        })
    }

    #[test]
    fn the_printed_schedule_of_llama_3_1_has_1_154_407_steps() {
        let of = |goal| Course::new(goal, Some(&llama()), &Context::Fixed(8192), None).unwrap();
        let course = of(Goal::Tokens(15_600_000_000_000));
        let steps: Vec<u64> = course.0.iter().map(|leg| leg.steps).collect();
        assert_eq!(steps, [63, 358_719, 795_625]);
        assert_eq!((course.steps(), course.tokens()), (1_154_407, 15_600_000_000_000));
        assert_eq!(course.switches(), [63, 358_782]);
        assert_eq!(course.0.iter().map(|leg| leg.context).collect::<Vec<_>>(), [4096, 8192, 8192]);
        assert_eq!(of(Goal::Steps(1_154_407)).steps(), 1_154_407);
        assert_eq!(of(Goal::Steps(40)).0.len(), 1);
        assert_eq!(course.steps_of(Length::Tokens(2_870_000_000_000), None), Some(358_782));
        assert_eq!(course.steps_of(Length::Share(0.5), None), Some(577_204));
    }

    #[test]
    fn a_context_grows_by_one_ratio() {
        let mut grow = Grow {
            from: 8192,
            to: 131_072,
            stages: 6,
            through: Vec::new(),
            gate: None,
            on_fail: OnFail::Extend,
        };
        assert_eq!(check_grow(&grow), Vec::new());
        let contexts = grow.contexts();
        assert_eq!((contexts.len(), contexts[5]), (6, 131_072));
        assert!(contexts.windows(2).all(|p| p[0] < p[1] && p[1] < 2 * p[0]), "{contexts:?}");
        let size = Batch::Fixed(BatchSize::Tokens(16_000_000));
        let goal = Goal::Tokens(800_000_000_000);
        let course = Course::new(goal, Some(&size), &Context::Grow(grow.clone()), None).unwrap();
        assert_eq!((course.0.len(), course.steps() / 100), (6, 500), "about 50,000 steps");
        assert!(course.tokens().abs_diff(800_000_000_000) < 6 * 131_072);
        grow.through = vec![16_384, 32_768, 49_152, 65_536, 98_304, 131_072];
        assert_eq!((check_grow(&grow), grow.contexts()), (Vec::new(), grow.through.clone()));
        grow.through.swap(1, 2);
        assert_eq!(check_grow(&grow)[0].code, "LLMP0603");
        grow.to = 4096;
        assert_eq!(check_grow(&grow)[0].path, ["to"]);
    }

    #[test]
    fn ramps_that_go_back_are_wrong() {
        let codes = |phases: Vec<Phase>| {
            check_ramp(&Ramp { phases }).iter().map(|p| p.message.clone()).collect::<Vec<_>>()
        };
        assert_eq!(codes(vec![phase(1, 8, 0), phase(2, 8, 10)]), Vec::<String>::new());
        assert_eq!(codes(vec![phase(1, 8, 0), phase(2, 4, 10)]), ["the context shrinks from 8 to 4"]);
        assert_eq!(codes(vec![phase(1, 8, 0), phase(1, 8, 9), phase(1, 8, 9)]).len(), 1);
        assert_eq!(codes(vec![phase(1, 8, 5)]).len(), 1);
        assert_eq!(codes(vec![phase(0, 8, 0)]).len(), 1);
        assert_eq!(codes(vec![]).len(), 1);
        assert_eq!(spaced(252_000_000), "252_000_000");
    }
}
