//! `eval name { … }`: measures a trained model.

use std::collections::BTreeMap;

use llmp_data::steps::arguments::Lengths;
use llmp_stdlib::{
    Arg, Form, Formula, Kind, Output, Planner, Port, Problem, Record, Settings, Value, View, Yields,
};

use super::chain::Known;
use super::decoder::field;
use super::post::SuiteTarget;
use super::{check_trained, trained};
use crate::stage::input;
use crate::suites::{self, Suite};

llmp_stdlib::def! {
    /// Measures a trained model.
    ///
    /// ```llmp
    /// eval quality { model = run, suites = [bits_per_byte(clean.heldout)] }
    /// ```
    Eval = "eval", rev 1 {
        /// The stage whose model is measured, or a reward model.
        model: SuiteTarget,
        /// What it is measured on.
        suites: Vec<Suite>,
        /// Texts that it writes from nothing, to be looked at.
        samples: u64 = "0",
        /// What the metrics must fulfil: `.bits_per_byte <= 1.2 and .perplexity < 40`. A run in which that does not hold fails.
        require: Option<Formula> = "none",
    }
}

/// The kind.
pub(super) static KIND: Kind =
    Kind { check, ..Kind::new(Eval::SIGNATURE, Form::Block, Yields::Metrics, elaborate) };

fn check(view: &View<'_>) -> Vec<Problem> {
    let mut problems: Vec<Problem> = check_trained(view).into_iter().collect();
    problems.extend(check_require(view));
    problems.extend(check_reward(view));
    problems.extend(check_needles(view));
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

/// Suites as written, each with its index.
fn written<'a>(view: &View<'a>) -> Vec<(usize, &'a llmp_stdlib::Call)> {
    let Some(Value::List(suites)) = view.get("suites") else { return Vec::new() };
    let call = |(index, value): (usize, &'a Value)| match value {
        Value::Call(call) => Some((index, call)),
        _ => None,
    };
    suites.iter().enumerate().filter_map(call).collect()
}

/// A requirement speaks of metrics that a suite of the list gives.
fn check_require(view: &View<'_>) -> Vec<Problem> {
    let Some(Value::Formula(formula)) = view.get("require") else { return Vec::new() };
    let known: Vec<&str> =
        written(view).into_iter().flat_map(|(_, call)| suites::metrics(&call.name)).collect();
    if known.is_empty() {
        return Vec::new();
    }
    let unknown = formula.columns().into_iter().filter(|name| !known.contains(name));
    unknown
        .map(|name| {
            let message = format!("no suite of this eval measures `.{name}`");
            let names: Vec<String> = known.iter().map(|m| format!("`.{m}`")).collect();
            let near = llmp_stdlib::nearest(name, known.iter().copied());
            let help = match near {
                Some(near) => format!("did you mean `.{near}`?"),
                None if Suite::FAMILY.get(name).is_some() => format!("add `{name}()` to `suites`"),
                None => format!("measured are {}", names.join(", ")),
            };
            let problem = Problem::error("LLMP0105", "require", message).help(help);
            match near {
                Some(near) => problem.reword("require", format!(".{name}"), format!(".{near}")),
                None => problem,
            }
        })
        .collect()
}

/// No text is longer than the context of the model that reads it.
fn check_needles(view: &View<'_>) -> Vec<Problem> {
    let known = view.follow("model").and_then(|model| Some((model.name, Known::of(&model)?.context()?)));
    let Some((name, context)) = known else { return Vec::new() };
    let long = |(index, call): (usize, &llmp_stdlib::Call)| {
        let longest = Lengths::read(call.args.get("length")?).ok()?.high;
        let of_needle = call.name == suites::Needle::SIGNATURE.name;
        let message = format!(
            "`needle` hides facts in texts of {longest} tokens, the context of `{name}` has {context}"
        );
        let path = format!("suites.{index}.length");
        (of_needle && longest > context).then(|| Problem::error("LLMP0506", &path, message))
    };
    written(view).into_iter().filter_map(long).collect()
}

/// A reward model orders answers and writes none.
fn check_reward(view: &View<'_>) -> Vec<Problem> {
    let Some(target) = view.follow("model").filter(|t| t.kind.yields == Yields::Reward) else {
        return Vec::new();
    };
    let mut problems = Vec::new();
    for (index, call) in written(view) {
        let path = format!("suites.{index}");
        if call.name != suites::Accuracy::SIGNATURE.name {
            let message =
                format!("`{}` is a reward model: `{}` measures models that write", target.name, call.name);
            problems.push(Problem::error("LLMP0201", &path, message).help("measure it with `accuracy(…)`"));
        }
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
    /// One entry for each suite.
    pub suites: Vec<Asked>,
    /// Texts to write.
    pub samples: usize,
    /// What the metrics must fulfil.
    pub require: Option<Formula>,
}

/// One suite of an evaluation.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// On held-out documents.
    Text(Measured),
    /// Any other, whose data and models are inputs of the step.
    Suite {
        /// Its name.
        name: String,
        /// The suite.
        suite: Box<Suite>,
        /// Indices of the inputs that are the tokenizers of its models, by parameter.
        tokenizers: BTreeMap<String, usize>,
    },
}

impl Asked {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Asked::Text(measured) => &measured.suite,
            Asked::Suite { name, .. } => name,
        }
    }

    /// Reads one entry of the arguments. Errors: words that name what is missing.
    pub fn read(value: &Value) -> Result<Asked, String> {
        let Value::Record(record) = value else { return Err("a suite is not a record".to_owned()) };
        let Some(settings) = record.get("settings") else { return Measured::read(value).map(Asked::Text) };
        let tokenizers = match record.get("tokenizers") {
            Some(Value::Record(all)) => {
                all.keys().map(|name| Ok((name.clone(), input(all, name)?))).collect::<Result<_, String>>()?
            }
            _ => BTreeMap::new(),
        };
        let name = if let Value::Call(call) = settings { call.name.clone() } else { String::new() };
        Ok(Asked::Suite { name, suite: Box::new(Suite::read(settings)?), tokenizers })
    }
}

/// Held-out documents that a model is measured on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// Name of the suite.
    pub suite: String,
    /// Index of the input that holds the documents' tokens.
    pub tokens: usize,
    /// Index of the input that holds the documents.
    pub documents: usize,
}

impl Measured {
    /// Reads one entry of the arguments. Errors: words that name what is missing.
    pub fn read(value: &Value) -> Result<Measured, String> {
        let Value::Record(record) = value else { return Err("a suite is not a record".to_owned()) };
        let suite = field(record, "suite")?;
        Ok(Measured { suite, tokens: input(record, "tokens")?, documents: input(record, "documents")? })
    }
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
        Ok(Evaluation {
            model: input(args, "model")?,
            tokenizer: input(args, "tokenizer")?,
            suites: suites.iter().map(Asked::read).collect::<Result<_, _>>()?,
            samples: field(args, "samples")?,
            require: args.get("require").map(Formula::read).transpose()?,
        })
    }
}

fn elaborate(view: &View<'_>, planner: &mut dyn Planner) -> Result<Output, Problem> {
    let (weights, tokenizer) = trained(view, planner)?;
    let tokenizer =
        tokenizer.ok_or_else(|| Problem::error("LLMP0703", "model", "the model has no tokenizer"))?;
    let Some(Value::List(written)) = view.get("suites") else {
        return Err(Problem::error("LLMP0103", "suites", "`suites` is missing"));
    };
    let samples = view.members.get("samples").cloned().unwrap_or_else(|| Value::number(0));
    let mut args = arguments("suites", written, weights, tokenizer, samples, planner)?;
    if let Some(Value::Formula(require)) = view.get("require") {
        args.insert("require".into(), Value::Formula(require.clone()));
    }
    Ok(Output::Port(planner.step(Evaluation::OP, Evaluation::REV, args)))
}

/// Arguments of a step that measures a model by suites, which stand in the member `member`.
pub(super) fn arguments(
    member: &str,
    written: &[Value],
    weights: Port,
    tokenizer: Port,
    samples: Value,
    planner: &mut dyn Planner,
) -> Result<Record, Problem> {
    let suites = measured(member, written, &tokenizer, planner)?;
    let args = [
        ("model", Value::Port(weights)),
        ("tokenizer", Value::Port(tokenizer)),
        ("suites", suites),
        ("samples", samples),
    ];
    Ok(args.map(|(name, value)| (name.to_owned(), value)).into())
}

/// A suite whose data and models are steps of the plan.
fn wired(value: &Value, member: &str, planner: &mut dyn Planner) -> Result<Value, Problem> {
    let Value::Call(call) = value else { return Err(Problem::error("LLMP0201", member, "this is no suite")) };
    let (mut call, mut tokenizers) = (call.clone(), Record::new());
    for (name, value) in &mut call.args {
        let output = match &*value {
            Value::Item(item) => planner.item(item)?,
            Value::Pipe(..) => planner.data(value)?,
            _ => continue,
        };
        *value = match output {
            Output::Port(port) => Value::Port(port),
            Output::Model { weights: Some(weights), tokenizer, .. } => {
                tokenizers.extend(tokenizer.map(|port| (name.clone(), Value::Port(port))));
                Value::Port(weights)
            }
            _ => {
                let message = format!("`{name}` of `{}` has no weights", call.name);
                return Err(Problem::error("LLMP0201", member, message));
            }
        };
    }
    let fields = [("settings", Value::Call(call)), ("tokenizers", Value::Record(tokenizers))];
    Ok(Value::Record(fields.map(|(name, value)| (name.to_owned(), value)).into()))
}

/// Suites of the member `member` with the steps that give their documents and tokens.
pub(super) fn measured(
    member: &str,
    written: &[Value],
    tokenizer: &Port,
    planner: &mut dyn Planner,
) -> Result<Value, Problem> {
    let mut measured = Vec::new();
    for value in written {
        let (name, data) =
            match Suite::read(value).map_err(|words| Problem::error("LLMP0201", member, words))? {
                Suite::BitsPerByte(suite) => (suites::BitsPerByte::SIGNATURE.name, suite.data),
                Suite::Perplexity(suite) => (suites::Perplexity::SIGNATURE.name, suite.data),
                _ => {
                    measured.push(wired(value, member, planner)?);
                    continue;
                }
            };
        let Output::Port(documents) = planner.data(&data.0)? else {
            return Err(Problem::error("LLMP0201", member, "a suite is measured on documents"));
        };
        let fields = [
            ("suite", Value::text(name)),
            ("documents", Value::Port(documents.clone())),
            ("tokens", Value::Port(planner.tokens(documents, tokenizer.clone()))),
        ];
        measured.push(Value::Record(fields.map(|(name, value)| (name.to_owned(), value)).into()));
    }
    Ok(Value::List(measured))
}
