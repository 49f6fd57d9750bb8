//! The learning rate of a stage: defaults, schedules that go on from another stage, and what can be wrong with them.

use llmp_nn::kinds::Stage;
use llmp_stdlib::arg::{BatchSize, Length};
use llmp_stdlib::unit::{Dim, Quantity};
use llmp_stdlib::{Arg, Call, Problem, Rational, Record, Value, View};

use super::chain::{self, Known};
use super::decoder::real;
use super::training;
use crate::budget::default_peak;
use crate::course::{Batch, Context, Course, spaced};
use crate::optimizers::Optimizer;
use crate::schedules::{Linear, Over, Piecewise, Schedule, Wsd};
use crate::settings::{Averaging, Moments, Publish};

/// No schedule goes on through more stages.
const MOST: usize = 100;

/// How many times the default peak a rate is under plain AdamW before it looks as if it came from elsewhere.
const TOO_HIGH: f64 = 8.0;

/// A stage with fewer steps than this hardly moves.
const FEW_STEPS: u64 = 10;

/// A schedule that stands for itself.
pub(super) struct Resolved {
    /// As a value for the plan.
    pub(super) value: Value,
    /// The same, typed.
    pub(super) schedule: Schedule,
    /// Steps of it that earlier stages have done.
    pub(super) done: u64,
}

/// The schedule of a stage: as written, the default one, or the one that it goes on with.
pub(super) fn resolved(view: &View<'_>) -> Option<Resolved> {
    resolve(view, 0)
}

fn resolve(view: &View<'_>, depth: usize) -> Option<Resolved> {
    let value = match view.get("schedule") {
        Some(value) => value.clone(),
        None => default(view)?,
    };
    match Schedule::read(&value).ok()? {
        Schedule::ContinueFrom(it) if depth < MOST => {
            let stage = view.program.view(&chain::first_item(&it.stage.0)?.item)?;
            let before = resolve(&stage, depth + 1)?;
            let course = training::course(&stage)?;
            let value = in_steps(&before.value, &before.schedule, &course)?;
            let schedule = Schedule::read(&value).ok()?;
            Some(Resolved { value, schedule, done: before.done + course.steps() })
        }
        Schedule::Linear(Linear { peak: None, .. }) | Schedule::Wsd(Wsd { peak: None, .. })
            if depth < MOST =>
        {
            let peak = last_rate(&view.follow("from")?, depth + 1)?;
            let value = with(&value, "peak", real(peak));
            let schedule = Schedule::read(&value).ok()?;
            Some(Resolved { value, schedule, done: 0 })
        }
        schedule @ Schedule::Piecewise(_) => {
            let value = pieces_in_steps(&value, &schedule, training::course(view).as_ref());
            let schedule = Schedule::read(&value).ok()?;
            Some(Resolved { value, schedule, done: 0 })
        }
        Schedule::ContinueFrom(_) => None,
        schedule => Some(Resolved { value, schedule, done: 0 }),
    }
}

/// The rate after the last step of a stage.
fn last_rate(stage: &View<'_>, depth: usize) -> Option<f64> {
    let at = resolve(stage, depth)?;
    let course = training::course(stage)?;
    let (warmup, over) = course.schedule(&at.schedule, None)?;
    let rate = at.schedule.rate(at.done + course.steps(), warmup, over);
    // Seven digits: a wave's last bits differ between machines, and the rate is part of the plan.
    format!("{rate:.6e}").parse().ok().filter(|rate| *rate > 0.0)
}

fn default(view: &View<'_>) -> Option<Value> {
    let width = Known::of(view)?.sizes?.width;
    let share = |n: i128| Value::number(Rational::new(n, 100));
    let args = [
        ("peak", Value::number(default_peak(width as u64))),
        ("warmup", share(2)),
        ("floor", share(10)),
        ("over", Value::Choice("stage".into())),
    ];
    let args: Record = args.map(|(name, value)| (name.to_owned(), value)).into();
    Some(Value::Call(Call { name: "cosine".into(), args }))
}

fn with(value: &Value, name: &str, new: Value) -> Value {
    let Value::Call(call) = value else { return value.clone() };
    let mut call = call.clone();
    call.args.insert(name.to_owned(), new);
    Value::Call(call)
}

fn steps(n: u64) -> Value {
    Value::Number(Quantity::new(Rational::from(i128::from(n)), Dim::STEPS))
}

/// The same schedule with its lengths in steps, so that it means the same in another stage.
fn in_steps(value: &Value, schedule: &Schedule, course: &Course) -> Option<Value> {
    let (warmup, over) = course.schedule(schedule, None)?;
    let value = with(value, "warmup", steps(warmup));
    let ends = schedule.shape().ramp().over.is_some();
    Some(if ends { with(&value, "over", steps(over)) } else { value })
}

fn pieces_in_steps(value: &Value, schedule: &Schedule, course: Option<&Course>) -> Value {
    let (Schedule::Piecewise(Piecewise { pieces, .. }), Some(course)) = (schedule, course) else {
        return value.clone();
    };
    let Value::Call(Call { args, .. }) = value else { return value.clone() };
    let Some(Value::List(written)) = args.get("pieces") else { return value.clone() };
    let one = |(value, piece): (&Value, &crate::schedules::Piece)| {
        let (Value::Record(record), Length::Tokens(_)) = (value, piece.length) else { return value.clone() };
        let mut record = record.clone();
        if let Some(n) = course.steps_of(piece.length, None) {
            record.insert("length".into(), steps(n));
        }
        Value::Record(record)
    };
    with(value, "pieces", Value::List(written.iter().zip(pieces).map(one).collect()))
}

/// All rules over the schedule of a stage.
pub(super) fn check(view: &View<'_>) -> Vec<Problem> {
    let mut problems: Vec<Problem> = ancestor(view).into_iter().collect();
    problems.extend(no_peak(view));
    let Some(at) = resolved(view) else {
        problems.extend(counted_late(view));
        return problems;
    };
    problems.extend(too_high(view, &at.schedule));
    let Some(course) = training::course(view) else { return problems };
    problems.extend(horizon(&at, &course));
    if at.done == 0 {
        problems.extend(switch_in_warmup(view, &at.schedule, &course));
    }
    problems.extend(few_steps(view, &course));
    problems.extend(close_average(view, &course));
    problems
}

fn ancestor(view: &View<'_>) -> Option<Problem> {
    let Schedule::ContinueFrom(it) = view.read("schedule")? else { return None };
    let item = chain::first_item(&it.stage.0)?;
    let ancestors = chain::ancestry(view);
    if ancestors.iter().skip(1).any(|a| a.name == item.item) {
        return None;
    }
    let names: Vec<&str> = ancestors.iter().skip(1).map(|a| a.name).collect();
    let message = format!("`{}` is not a stage that `{}` goes back to", item.item, view.name);
    let problem = Problem::error("LLMP0611", "schedule.stage", message);
    let problem = problem.help(format!("it goes back to {}", names.join(", ")));
    let stage = ancestors.get(1).filter(|a| a.kind.signature.name != "model")?;
    Some(problem.fix(format!("continue `{}`", stage.name), "schedule.stage", stage.name.to_owned()))
}

/// Whether the peak is the rate at which the stage before ended.
fn takes_peak(schedule: &Schedule) -> bool {
    matches!(schedule, Schedule::Linear(Linear { peak: None, .. }) | Schedule::Wsd(Wsd { peak: None, .. }))
}

/// A rate that goes on from a stage whose steps are counted only when its documents are.
fn counted_late(view: &View<'_>) -> Option<Problem> {
    let schedule: Schedule = view.read("schedule")?;
    let place = match &schedule {
        Schedule::ContinueFrom(_) => "schedule.stage",
        other if takes_peak(other) => "schedule.peak",
        _ => return None,
    };
    let before = chain::ancestry(view).into_iter().skip(1).find(training::in_epochs)?;
    let message = format!(
        "`{}` is counted in epochs: how many steps it has, and so its rate, is known only when it runs",
        before.name
    );
    let help = "give its length in tokens or steps, or the peak here";
    Some(Problem::error("LLMP0103", place, message).help(help))
}

fn no_peak(view: &View<'_>) -> Option<Problem> {
    let lone = takes_peak(&view.read("schedule")?) && view.get("from").is_none();
    let message = "a stage from scratch has no rate to go on from: give `peak`";
    lone.then(|| Problem::error("LLMP0103", "schedule.peak", message))
}

fn horizon(at: &Resolved, course: &Course) -> Option<Problem> {
    let (warmup, over) = course.schedule(&at.schedule, None)?;
    let (all, own) = (at.done + course.steps(), course.steps());
    if warmup > all {
        let message = format!("the warm-up takes {warmup} steps, the stage has {own}");
        let problem = Problem::error("LLMP0604", "schedule.warmup", message);
        return Some(problem.fix("use the default", "schedule.warmup", "2%"));
    }
    if over < all {
        let place = if at.done > 0 { "schedule" } else { "schedule.over" };
        let message = if at.done > 0 {
            format!(
                "the stage ends at step {} of a schedule of {}: the rate stays at the floor",
                spaced(all),
                spaced(over)
            )
        } else {
            format!("the stage runs {own} steps, its schedule ends after {over}: the rate stays at the floor")
        };
        let problem = Problem::warning("LLMP0604", place, message);
        let fixed = |p: Problem| p.fix("end with the stage", "schedule.over", "stage");
        return Some(if at.done > 0 { problem } else { fixed(problem) });
    }
    let ramp = at.schedule.shape().ramp();
    let long = |length: Length| matches!(length, Length::Share(share) if share > 1.0);
    let without_unit = matches!(ramp.over, Some(Over::Length(length)) if long(length));
    without_unit
        .then(|| Problem::error("LLMP0302", "schedule.over", "a length needs a unit: tokens, steps or %"))
}

/// Llama 3.1 prints a switch at 252M tokens, which is step 63 of 8,000 of warm-up.
fn switch_in_warmup(view: &View<'_>, schedule: &Schedule, course: &Course) -> Option<Problem> {
    let (warmup, _) = course.schedule(schedule, None)?;
    let switch = *course.switches().iter().find(|&&s| s < warmup)?;
    let message = format!(
        "the batch changes after {} steps, within the {} of the warm-up",
        spaced(switch),
        spaced(warmup)
    );
    let problem = Problem::warning("LLMP0621", "batch", message);
    let problem =
        problem.label("schedule.warmup", format!("the rate is at {} of its peak", percent(switch, warmup)));
    let matches = matches!(view.read("batch"), Some(Batch::Ramp(_)))
        || matches!(view.read("context"), Some(Context::Grow(_)));
    matches.then(|| {
        problem.help(
            "a batch grows when gradients have become less noisy, after the warm-up; is the number right?",
        )
    })
}

fn percent(part: u64, whole: u64) -> String {
    format!("{:.1}%", 100.0 * part as f64 / whole.max(1) as f64)
}

/// 40M tokens at 16M a batch are 2.5 steps.
fn few_steps(view: &View<'_>, course: &Course) -> Option<Problem> {
    let tokens = view.read::<llmp_stdlib::arg::Tokens>("tokens")?.0;
    let written = match view.read::<Batch>("batch")? {
        Batch::Fixed(BatchSize::Tokens(size)) => size,
        Batch::Fixed(BatchSize::Sequences(_)) | Batch::Ramp(_) => course.0.last()?.batch,
    };
    if view.get("from").is_none() || course.steps() >= FEW_STEPS || tokens < written {
        return None;
    }
    let batches = tokens as f64 / written.max(1) as f64;
    let message = format!(
        "{} tokens are {} batches of {}: the stage has {} optimizer steps",
        spaced(tokens),
        (batches * 100.0).round() / 100.0,
        spaced(written),
        course.steps()
    );
    let problem = Problem::warning("LLMP0622", "tokens", message).label("batch", "one step each");
    Some(
        problem.help(
            "an annealing of so few steps changes little; the unit or the batch may be meant otherwise",
        ),
    )
}

fn close_average(view: &View<'_>, course: &Course) -> Option<Problem> {
    let Publish::Averaged(Averaging::Average(average)) = view.read("publish")? else { return None };
    let Moments::Checkpoints(checkpoints) = average.of;
    let (place, all) = ("publish.of.every", course.steps());
    if let Some(last) = checkpoints.last.filter(|&n| n > all) {
        let message = format!("{last} checkpoints of a stage of {all} steps");
        let problem = Problem::warning("LLMP0610", "publish.of.last", message);
        return Some(problem.fix("average all steps", "publish.of.last", all.to_string()));
    }
    let every = checkpoints.every?.0;
    let batch = course.0.last()?.batch;
    if every < batch {
        let message = format!(
            "checkpoints every {} tokens are closer together than a step of {}",
            spaced(every),
            spaced(batch)
        );
        let problem =
            Problem::warning("LLMP0610", place, message).label("batch", format!("{} tokens", spaced(batch)));
        return Some(problem.fix("one for each step", place, format!("{batch} tokens")));
    }
    if every > course.tokens() {
        let message = format!(
            "checkpoints every {} tokens: the stage has {} and keeps none",
            spaced(every),
            spaced(course.tokens())
        );
        return Some(Problem::warning("LLMP0610", place, message).label("tokens", "the whole stage"));
    }
    None
}

/// AFM's rate of 0.01 is one under muP; copied into plain AdamW it diverges.
fn too_high(view: &View<'_>, schedule: &Schedule) -> Option<Problem> {
    let Optimizer::AdamW(adamw) = view.read("optimizer")? else { return None };
    if adamw.mup.is_some() || view.get("schedule").is_none() {
        return None;
    }
    let width = Known::of(view)?.sizes?.width as u64;
    let (peak, usual) = (schedule.shape().ramp().peak, llmp_stdlib::number::to_f64(default_peak(width)));
    if peak.is_nan() || peak <= TOO_HIGH * usual {
        return None;
    }
    let message = format!(
        "a peak of {peak} under plain AdamW at width {width} is {:.0} times the usual {usual}",
        peak / usual
    );
    let problem = Problem::warning("LLMP0620", "schedule.peak", message);
    let help =
        "rates such as AFM's 0.01 are meant for muP: `adamw(mup = simple(base_width = 768))` scales them";
    Some(problem.help(help).fix("use the usual rate", "schedule.peak", usual.to_string()))
}

/// Pre-training what has already learnt to answer.
pub(super) fn check_order(view: &View<'_>) -> Option<Problem> {
    let from = view.follow("from")?;
    let what = match chain::state(&from)? {
        Stage::Base => return None,
        Stage::Sft => "fine-tuned on conversations",
        Stage::Aligned => "aligned with preferences",
    };
    let message = format!("`{}` is {what}; training on plain text forgets it", from.name);
    let problem = Problem::warning("LLMP0208", "from", message);
    Some(problem.help("pre-train first, then fine-tune; `@allow(LLMP0208)` where this is meant"))
}
