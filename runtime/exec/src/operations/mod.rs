//! What each op of a plan does. An operation reads finished inputs and writes into its work folder.

mod classifiers;
mod compare;
mod documents;
mod measuring;
mod merging;
mod models;
mod preferences;
mod rl;
mod sampling;
mod tokens;
mod tuning;

#[cfg(feature = "kernels")]
pub(crate) use models::train_failure;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use llmp_data::Context;
use llmp_stdlib::event::Funnel;
use llmp_stdlib::{Event, Plan, Problem, Settings, Step, Value};

use crate::failure::Failure;
use crate::resolve::Results;
use crate::run::Options;
use crate::store::{BadRecords, Content, durable};
use crate::task::Task;

/// One task at work.
pub(crate) struct Work<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) task: &'a Task<'a>,
    /// Where the result is made; what an interrupted run left is still there.
    pub(crate) folder: &'a Path,
    pub(crate) results: &'a Results,
    pub(crate) options: &'a Options<'a>,
    pub(crate) emit: &'a (dyn Fn(Event) + Sync),
}

/// What an operation made.
#[derive(Debug, Default)]
pub(crate) struct Made {
    pub(crate) parts: BTreeMap<String, Content>,
    pub(crate) funnels: Vec<Funnel>,
    pub(crate) bad_records: BadRecords,
    pub(crate) metrics: BTreeMap<String, f64>,
}

impl Made {
    /// A result with one part.
    pub(crate) fn whole(path: &str, hash: String, counts: &[(&str, u64)]) -> Made {
        let counts = counts.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect();
        let content = Content { hash, path: path.to_owned(), counts };
        Made { parts: BTreeMap::from([(String::new(), content)]), ..Made::default() }
    }
}

impl Work<'_> {
    /// The only step of a task that is not fused.
    pub(crate) fn step(&self) -> &Step {
        self.task.last()
    }

    /// Name of the task for people.
    pub(crate) fn name(&self) -> String {
        self.task.name.clone()
    }

    /// Typed settings of the step.
    pub(crate) fn settings<S: Settings>(&self) -> Result<S, Failure> {
        S::read(&self.step().args).map_err(|problems| argument_failure(&self.step().op, &problems))
    }

    /// Folder or file of the n-th input of a step of the task.
    pub(crate) fn stored(&self, step: &Step, index: usize) -> Result<PathBuf, Failure> {
        let port = step.inputs.get(index);
        let found = port.and_then(|p| self.results.get(&p.step)?.part(p.part.as_deref().unwrap_or("")));
        found.ok_or_else(|| Failure::new("LLMP1301", format!("`{}` lacks input {index}", step.op)))
    }

    /// What an argument that refers to an input stands for: its folder or file.
    pub(crate) fn input(&self, argument: &llmp_stdlib::Value) -> Result<PathBuf, Failure> {
        match argument {
            llmp_stdlib::Value::Input(index) => self.stored(self.step(), *index),
            other => Err(Failure::new("LLMP1301", format!("`{}`: {other} is not an input", self.step().op))),
        }
    }

    /// The runtime's view of stop flag, progress and failpoints.
    pub(crate) fn context<'b>(&'b self, progress: &'b (dyn Fn(llmp_data::Progress) + Sync)) -> Context<'b> {
        Context {
            stop: Some(self.options.stop),
            progress: Some(progress),
            failpoint: Some(self.options.hook),
        }
    }

    /// Says that the task begins.
    pub(crate) fn started(&self, total: Option<u64>, unit: &str) {
        (self.emit)(Event::Started {
            step: self.name(),
            op: self.step().op.clone(),
            total,
            unit: unit.to_owned(),
        });
    }
}

/// Arguments that the checker let through but a settings struct refuses: a defect, said plainly.
pub(crate) fn argument_failure(op: &str, problems: &[Problem]) -> Failure {
    let words: Vec<String> =
        problems.iter().map(|p| format!("{}: {}", p.path.join("."), p.message)).collect();
    Failure::new("LLMP1003", format!("`{op}`: {}", words.join("; ")))
}

/// A data error as a failure.
pub(crate) fn data_failure(error: llmp_data::DataError) -> Failure {
    use llmp_data::DataError;
    match &error {
        DataError::Stopped => Failure::stopped(),
        DataError::Bad(_) => Failure::new("LLMP1001", error.to_string())
            .help("set `on_error = count` on the source to count such records and go on"),
        DataError::Source { .. } => Failure::new("LLMP1002", error.to_string()),
        DataError::Io { .. } => Failure::new("LLMP1303", error.to_string()),
        DataError::Step { .. } | DataError::Artifact { .. } => Failure::new("LLMP1003", error.to_string()),
    }
}

/// Does what the task says. What is made of a model writes turns as that model does.
pub(crate) fn perform(work: &Work<'_>) -> Result<Made, Failure> {
    let made = operate(work)?;
    hand_on_template(work)?;
    Ok(made)
}

/// A model that is made of another one has its chat template, unless its own step gave it one.
fn hand_on_template(work: &Work<'_>) -> Result<(), Failure> {
    let model = work.folder.join("model");
    let to = model.join(tokens::TEMPLATE);
    if to.exists() || !model.is_dir() {
        return Ok(());
    }
    let of = |index: usize| {
        let from = work.stored(work.step(), index).ok()?.join(tokens::TEMPLATE);
        from.is_file().then_some(from)
    };
    let first = match work.step().args.get("from") {
        Some(Value::Input(index)) => of(*index),
        _ => None,
    };
    let Some(from) = first.or_else(|| (0..work.step().inputs.len()).find_map(of)) else { return Ok(()) };
    let template = std::fs::read(&from).map_err(|e| Failure::io("read", &from, &e))?;
    durable::write(&to, &template, work.options.hook)
}

fn operate(work: &Work<'_>) -> Result<Made, Failure> {
    match work.step().op.as_str() {
        "bpe" | "tokenizer_file" => tokens::tokenizer(work),
        "hf" if !work.step().args.contains_key("split") => tokens::tokenizer(work),
        "tokenize" => tokens::tokenize(work),
        "classifier" => classifiers::classifier(work),
        "pretrain" => models::pretrain(work),
        "distill" => models::distill(work),
        "teach" => models::teach(work),
        "prune" => models::prune(work),
        "merge" => merging::merge(work),
        "rl" => rl::rl(work),
        "pick" => measuring::pick(work),
        "compare" => compare::compare(work),
        "eval" => models::eval(work),
        "release" => models::release(work),
        llmp_stdlib::registry::OPEN_MODEL => models::open(work),
        "quantize" => models::quantize(work),
        "upcycle" => models::upcycle(work),
        "sft" => tuning::sft(work),
        "refer" => preferences::refer(work),
        "prefer" => preferences::prefer(work),
        "reward_model" => preferences::reward_model(work),
        "export" => documents::export(work),
        op if llmp_train::steps::runs_model(op) => sampling::sampling(work),
        _ => documents::documents(work),
    }
}

/// Versions of outside crates that decide bytes.
pub(crate) fn versions() -> BTreeMap<String, String> {
    [
        ("tokenizers", "0.22"),
        ("dom_smoothie", "0.19"),
        ("encoding_rs", "0.8"),
        ("unicode-normalization", "0.1"),
        ("gemm", "0.19"),
        ("dfdx", "0.13.0"),
    ]
    .map(|(name, version)| (name.to_owned(), version.to_owned()))
    .into()
}
