//! `compare name { … }`: the same stage under different params, measured alike.

use llmp_stdlib::arg::ModelRef;
use llmp_stdlib::compare::{Expectation, Hold, Vary, words};
use llmp_stdlib::{Arg, Form, Kind, Output, Planner, Problem, Record, Settings, Value, View, Yields};

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
    @planned Compare = "compare", rev 1 {
        /// The stage that is run in every arm.
        of: ModelRef,
        /// Params and the values that they take.
        vary: Vary,
        /// What is equal in all arms; what is not is reported.
        hold: Hold = "flops",
        /// Runs of every arm.
        seeds: u64 = "3",
        /// What the models are measured on. It must not depend on a varied param.
        measure: Vec<Suite>,
        /// What is expected to come out.
        expect: Option<Expectation> = "none",
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

fn elaborate(view: &View<'_>, planner: &mut dyn Planner) -> Result<Output, Problem> {
    let mut runs = Vec::new();
    let Some(Value::List(measure)) = view.get("measure") else {
        return Err(Problem::error("LLMP0103", "measure", "`measure` is missing"));
    };
    for run in planner.runs(view)? {
        let Output::Model { tokenizer: Some(tokenizer), weights: Some(weights), .. } = run.model else {
            return Err(Problem::error("LLMP0201", "of", "this is not a model with a tokenizer"));
        };
        let mut suites = Vec::new();
        for value in measure {
            if let Ok(Suite::BitsPerByte(suite)) = Suite::read(value)
                && let Output::Port(documents) = planner.data(&suite.data.0)?
            {
                suites.push(Value::Port(planner.tokens(documents, tokenizer.clone())));
            } else {
                suites.push(value.clone());
            }
        }
        let fields = [
            ("arm", Value::text(words(&run.arm))),
            ("seed", Value::number(i128::from(run.seed))),
            ("model", Value::Port(weights)),
            ("measure", Value::List(suites)),
        ];
        runs.push(Value::Record(fields.map(|(name, value)| (name.to_owned(), value)).into()));
    }
    let mut args: Record = [("runs".to_owned(), Value::List(runs))].into();
    for name in ["hold", "expect"] {
        args.insert(name.to_owned(), view.members.get(name).cloned().unwrap_or(Value::None));
    }
    Ok(Output::Port(planner.step(Compare::SIGNATURE.name, Compare::SIGNATURE.rev, args)))
}
