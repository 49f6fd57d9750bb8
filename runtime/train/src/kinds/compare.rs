//! `compare name { … }`: the same stage under different params, measured alike.

use llmp_stdlib::arg::ModelRef;
use llmp_stdlib::compare::{Expectation, Hold, Vary, words};
use llmp_stdlib::{Form, Kind, Output, Planner, Problem, Record, Settings, Value, View, Yields};

use super::decoder::field;
use super::eval::{self, Evaluation};
use crate::scaling::Law;
use crate::stage::input;
use crate::suites::Suite;

llmp_stdlib::def! {
    /// Trains one stage under different params and reports the difference with its uncertainty.
    ///
    /// The arms are the cross product of the varied params. Seeds are paired: the n-th run of every arm starts from the same
    /// weights and sees common documents in the same order. Steps that do not depend on a varied param are made once.
    ///
    /// ```llmp
    /// param strict: Bool = true
    /// source books = text("books/*.txt")
    /// dataset clean = books |> gopher_quality(when = strict)
    /// compare filter { of = run, vary = { strict = [true, false] }, hold = tokens, measure = [bits_per_byte(exam)] }
    /// ```
    Compare = "compare", rev 1 {
        /// The stage that is run in every arm.
        of: ModelRef,
        /// Params and the values that they take.
        vary: Vary,
        /// What is equal in all arms. A run whose arms used different amounts fails behind its training; `none` holds nothing.
        hold: Option<Hold> = "flops",
        /// Runs of every arm.
        seeds: u64 = "3",
        /// What the models are measured on. It must not depend on a varied param.
        measure: Vec<Suite>,
        /// What is expected to come out.
        expect: Option<Expectation> = "none",
        /// A scaling law that is fitted to the arms, whose budgets then differ: `hold` is `none`.
        fit: Option<Law> = "none",
    }
}

/// The kind.
pub(super) static KIND: Kind =
    Kind { check, ..Kind::new(Compare::SIGNATURE, Form::Block, Yields::Metrics, elaborate) };

fn check(view: &View<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    if view.read::<u64>("seeds") == Some(0) {
        let message = "a comparison has at least one run of every arm";
        problems.push(Problem::error("LLMP0209", "seeds", message).fix("use 3", "seeds", "3"));
    }
    problems.extend(check_fit(view));
    if let (Some(Expectation::Better(better)), Some(vary)) = (view.read("expect"), view.read::<Vary>("vary"))
        && let Value::Record(chosen) = &better.arm.0
    {
        for (name, value) in chosen {
            let known = vary.0.iter().find(|(n, _)| n == name);
            if known.is_none_or(|(_, values)| !values.contains(value)) {
                let message = format!("no arm has `{name} = {value}`");
                problems.push(Problem::error("LLMP0104", "expect", message).label("vary", "the arms"));
            }
        }
    }
    problems
}

/// Arms of a law differ in their budget, and there are enough of them.
fn check_fit(view: &View<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let Some(Value::Call(_)) = view.get("fit") else { return problems };
    if view.get("hold").is_some() {
        let message = "a law is fitted to arms of different budgets: nothing is held";
        problems.push(Problem::error("LLMP0104", "hold", message).fix("hold nothing", "hold", "none"));
    }
    let arms = view.read::<Vary>("vary").and_then(|vary| vary.arms()).map(|arms| arms.len());
    if let Some(arms) = arms.filter(|arms| *arms < 6) {
        let message = format!("a law needs two budgets with three sizes each, 6 arms; here are {arms}");
        problems.push(Problem::error("LLMP0209", "vary", message).label("fit", "the law"));
    }
    problems
}

/// Arguments of the step `compare`, typed.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparing {
    /// Runs in the order of the arms, each with its seeds.
    pub runs: Vec<Compared>,
    /// Names of the suites.
    pub measure: Vec<String>,
    /// What is equal in all arms.
    pub hold: Option<Hold>,
    /// What is expected to come out.
    pub expect: Option<Expectation>,
    /// A law that is fitted to the arms.
    pub fit: Option<Law>,
}

/// One run: its arm and seed, and the inputs that hold its model and what was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// Values of the varied params.
    pub arm: Record,
    /// Which of the paired seeds.
    pub seed: u64,
    /// Index of the input that is the model.
    pub model: usize,
    /// Index of the input that holds the metrics.
    pub metrics: usize,
}

impl Comparing {
    /// The operation's name in a plan.
    pub const OP: &'static str = "compare";

    /// Reads the arguments of a plan step. Errors: words that name the argument.
    pub fn from_args(args: &Record) -> Result<Comparing, String> {
        let Some(Value::List(runs)) = args.get("runs") else { return Err("`runs` is missing".to_owned()) };
        let run = |value: &Value| {
            let Value::Record(record) = value else { return Err("a run is not a record".to_owned()) };
            let Some(Value::Record(arm)) = record.get("arm") else {
                return Err("a run without an arm".to_owned());
            };
            let (model, metrics) = (input(record, "model")?, input(record, "metrics")?);
            Ok(Compared { arm: arm.clone(), seed: field(record, "seed")?, model, metrics })
        };
        Ok(Comparing {
            runs: runs.iter().map(run).collect::<Result<_, _>>()?,
            measure: field(args, "measure")?,
            hold: field(args, "hold")?,
            expect: field(args, "expect")?,
            fit: field(args, "fit")?,
        })
    }
}

/// Every run is measured by a step of its own, so that an interrupted comparison goes on where it was.
fn elaborate(view: &View<'_>, planner: &mut dyn Planner) -> Result<Output, Problem> {
    let mut runs = Vec::new();
    let Some(Value::List(measure)) = view.get("measure") else {
        return Err(Problem::error("LLMP0103", "measure", "`measure` is missing"));
    };
    for run in planner.runs(view)? {
        let Output::Model { tokenizer: Some(tokenizer), weights: Some(weights), .. } = run.model else {
            return Err(Problem::error("LLMP0201", "of", "this is not a model with a tokenizer"));
        };
        let args =
            eval::arguments("measure", measure, weights.clone(), tokenizer, Value::number(0), planner)?;
        let metrics = planner.step(Evaluation::OP, Evaluation::REV, args);
        planner.name(&metrics, format!("{}.{}.{}.eval", view.name, words(&run.arm), run.seed));
        let fields = [
            ("arm", Value::Record(run.arm)),
            ("seed", Value::number(i128::from(run.seed))),
            ("model", Value::Port(weights)),
            ("metrics", Value::Port(metrics)),
        ];
        runs.push(Value::Record(fields.map(|(name, value)| (name.to_owned(), value)).into()));
    }
    let names = measure.iter().filter_map(|value| match value {
        Value::Call(call) => Some(Value::text(&call.name)),
        _ => None,
    });
    let mut args: Record = [("measure".to_owned(), Value::List(names.collect()))].into();
    args.insert("runs".to_owned(), Value::List(runs));
    for name in ["hold", "expect", "fit"] {
        args.insert(name.to_owned(), view.members.get(name).cloned().unwrap_or(Value::None));
    }
    Ok(Output::Port(planner.step(Comparing::OP, Compare::SIGNATURE.rev, args)))
}
