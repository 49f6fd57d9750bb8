//! `eval name { … }`: measures a trained model.

use llmp_stdlib::arg::ModelRef;
use llmp_stdlib::{
    Arg, Form, Formula, Kind, Output, Planner, Problem, Record, Settings, Value, View, Yields,
};

use super::decoder::field;
use super::{check_trained, trained, unavailable};
use crate::stage::input;
use crate::suites::Suite;

llmp_stdlib::def! {
    /// Measures a trained model.
    ///
    /// ```llmp
    /// eval quality { model = run, suites = [bits_per_byte(clean.heldout)] }
    /// ```
    Eval = "eval", rev 1 {
        /// The stage whose model is measured.
        model: ModelRef,
        /// What it is measured on.
        suites: Vec<Suite>,
        /// Texts that it writes from nothing, to be looked at.
        samples: u64 = "0",
        /// What the metrics must fulfil.
        require: Option<Formula> = "none",
    }
}

/// The kind.
pub(super) static KIND: Kind =
    Kind { check, ..Kind::new(Eval::SIGNATURE, Form::Block, Yields::Metrics, elaborate) };

fn check(view: &View<'_>) -> Vec<Problem> {
    let mut problems: Vec<Problem> = check_trained(view).into_iter().collect();
    if view.get("require").is_some_and(|v| *v != Value::Bool(true)) {
        problems.push(unavailable("require", "a requirement on metrics", "none"));
    }
    if view.read::<u64>("samples").is_some_and(|n| n > 1000) {
        problems.push(Problem::error("LLMP0209", "samples", "at most 1000 samples are written"));
    }
    if matches!(view.get("suites"), Some(Value::List(suites)) if suites.is_empty())
        && view.read::<u64>("samples") == Some(0)
    {
        problems.push(Problem::error("LLMP0209", "suites", "nothing is measured: name at least one suite"));
    }
    problems
}

/// Arguments of the step `eval`, typed.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Index of the input that is the model folder.
    pub model: usize,
    /// Index of the input that is the tokenizer.
    pub tokenizer: usize,
    /// One entry for each suite: its name, and the input that is its token shard.
    pub suites: Vec<Measured>,
    /// Texts to write.
    pub samples: usize,
}

/// One suite of an evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// Name of the suite.
    pub suite: String,
    /// Index of the input that holds the documents' tokens.
    pub tokens: usize,
    /// Index of the input that holds the documents.
    pub documents: usize,
}

impl Evaluation {
    /// The operation's name in a plan.
    pub const OP: &'static str = "eval";
    /// Revision of the operation.
    pub const REV: u32 = 1;

    /// Reads the arguments of a plan step. Errors: words that name the argument.
    pub fn from_args(args: &Record) -> Result<Evaluation, String> {
        let Some(Value::List(suites)) = args.get("suites") else {
            return Err("`suites` is missing".to_owned());
        };
        let measured = |value: &Value| {
            let Value::Record(record) = value else { return Err("a suite is not a record".to_owned()) };
            let suite = field(record, "suite")?;
            Ok(Measured { suite, tokens: input(record, "tokens")?, documents: input(record, "documents")? })
        };
        Ok(Evaluation {
            model: input(args, "model")?,
            tokenizer: input(args, "tokenizer")?,
            suites: suites.iter().map(measured).collect::<Result<_, _>>()?,
            samples: field(args, "samples")?,
        })
    }
}

fn elaborate(view: &View<'_>, planner: &mut dyn Planner) -> Result<Output, Problem> {
    let (weights, tokenizer) = trained(view, planner)?;
    let tokenizer =
        tokenizer.ok_or_else(|| Problem::error("LLMP0703", "model", "the model has no tokenizer"))?;
    let mut suites = Vec::new();
    let Some(Value::List(written)) = view.get("suites") else {
        return Err(Problem::error("LLMP0103", "suites", "`suites` is missing"));
    };
    for value in written {
        let Suite::BitsPerByte(suite) =
            Suite::read(value).map_err(|words| Problem::error("LLMP0201", "suites", words))?;
        let Output::Port(documents) = planner.data(&suite.data.0)? else {
            return Err(Problem::error("LLMP0201", "suites", "a suite is measured on documents"));
        };
        let fields = [
            ("suite", Value::text(crate::suites::BitsPerByte::SIGNATURE.name)),
            ("documents", Value::Port(documents.clone())),
            ("tokens", Value::Port(planner.tokens(documents, tokenizer.clone()))),
        ];
        suites.push(Value::Record(fields.map(|(name, value)| (name.to_owned(), value)).into()));
    }
    let args = [
        ("model", Value::Port(weights)),
        ("tokenizer", Value::Port(tokenizer)),
        ("suites", Value::List(suites)),
        ("samples", view.members.get("samples").cloned().unwrap_or_else(|| Value::number(0))),
    ];
    let args = args.map(|(name, value)| (name.to_owned(), value)).into();
    Ok(Output::Port(planner.step(Evaluation::OP, Evaluation::REV, args)))
}
