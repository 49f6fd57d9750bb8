//! The ledger of a program: documents, bytes and tokens through every step, by source, out of the results in its store.

use std::collections::{BTreeMap, BTreeSet};

use llmp_data::ledger::{self, Flow, Ledger};
use llmp_data::readers;
use llmp_stdlib::hub::Named;
use llmp_stdlib::{Plan, Registry, State, Step, StepId};
use serde::Serialize;

use crate::failure::Failure;
use crate::found;
use crate::operations::data_failure;
use crate::resolve::{self, Finished, Results};
use crate::run::Options;
use crate::store::files::Index;
use crate::store::{Journal, Store};
use crate::task::{CONCAT, Task, tasks};

/// A task with its result, as it last ran.
#[derive(Debug, Clone)]
pub struct Done<'p> {
    /// The task.
    pub task: Task<'p>,
    /// Its result.
    pub finished: Finished,
    /// The program or its inputs changed since: the result is that of an earlier run.
    pub stale: bool,
}

impl Done<'_> {
    /// Number of a step of the task among the flows of its ledger.
    pub fn flow(&self, index: usize) -> usize {
        let reads = self.task.steps.first().is_some_and(|s| s.inputs.is_empty() || s.op == CONCAT);
        index + usize::from(!reads)
    }

    /// The step of the task that a flow of its ledger belongs to; `None` for the store that is read.
    pub fn step(&self, flow: usize) -> Option<&Step> {
        (0..self.task.steps.len()).find(|&k| self.flow(k) == flow).map(|k| self.task.steps[k])
    }

    /// Whether it stores documents.
    pub fn is_documents(&self) -> bool {
        self.finished.manifest.parts.get("").is_some_and(|part| part.path == "documents")
    }

    /// What became of the task's documents; `None` where an older version of llmp made them, or there are none.
    pub fn ledger(&self) -> Result<Option<Ledger>, Failure> {
        match self.finished.part("").filter(|_| self.is_documents()) {
            Some(folder) => ledger::summary(&folder).map_err(data_failure),
            None => Ok(None),
        }
    }
}

/// The results of a program that are in the store: those of the program as it is, else those that it last gave.
///
/// Reads no data. Errors: a store that cannot be read.
pub fn last<'p>(
    plan: &'p Plan,
    registry: &Registry,
    options: &Options<'_>,
) -> Result<Vec<Done<'p>>, Failure> {
    let store = Store::at(&options.project);
    let journal = Journal::open(&store, &options.program);
    let mut index = Index::open(&store).only_known();
    let mut results = Results::new();
    let mut done = Vec::new();
    for task in tasks(plan, registry) {
        let name = |id: &StepId| plan.name(id);
        // Inputs that are gone only make the result an old one.
        let definition = resolve::definition(&task, &results, registry, &options.roots, &mut index, name);
        let now = definition.ok().flatten().map(|d| d.key().text().to_owned());
        let before = journal.get(&task.name).map(|remembered| remembered.key.clone());
        let mut found = None;
        for (key, stale) in now.iter().map(|k| (k, false)).chain(before.iter().map(|k| (k, true))) {
            if let Some(finished) = store.finished(key)? {
                found = Some((finished, stale));
                break;
            }
        }
        if let Some((finished, stale)) = found {
            results.insert(task.last().id.clone(), finished.clone());
            done.push(Done { task, finished, stale });
        }
    }
    Ok(done)
}

/// Documents through one step.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Row {
    /// Name of the step.
    pub step: String,
    /// What it does.
    pub op: String,
    /// Steps whose documents it reads.
    pub from: Vec<String>,
    /// Over all sources.
    #[serde(flatten)]
    pub flow: Flow,
    /// Tokens that came in, where a tokenizer of the program has counted what became of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_in: Option<f64>,
    /// Tokens that went on; exact behind `tokenize`, else by the bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_out: Option<f64>,
    /// By source, where the ledger knows them.
    pub sources: BTreeMap<String, Flow>,
    /// The result is that of an earlier run.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stale: bool,
}

/// One row for each step over documents, in the order of the run.
pub fn rows(plan: &Plan, registry: &Registry, done: &[Done<'_>]) -> Result<Vec<Row>, Failure> {
    let states = states(plan, registry);
    let rates = rates(plan, done);
    let mut rows = Vec::new();
    for one in done {
        if one.task.last().op == "tokenize" {
            rows.extend(tokenized(plan, one));
        }
        if !one.is_documents() {
            continue;
        }
        let ledger = one.ledger()?;
        for (index, step) in one.task.steps.iter().enumerate() {
            let name = plan.name(&step.id);
            let flow = one.flow(index);
            let sources: BTreeMap<String, Flow> = ledger
                .iter()
                .flat_map(|ledger| &ledger.flows)
                .filter_map(|(source, flows)| Some((source.clone(), flows.get(flow)?.clone())))
                .collect();
            let total = match (&ledger, step.op == CONCAT) {
                (Some(ledger), _) => ledger.total().get(flow).cloned().unwrap_or_default(),
                (None, true) => continue,
                (None, false) => counted(one, &name),
            };
            let rate = rates.get(&step.id);
            let text = |state: Option<&State>| state.is_some_and(|state| *state != State::Html);
            let before = step.inputs.first().and_then(|port| states.get(&port.step));
            rows.push(Row {
                tokens_in: rate.filter(|_| text(before)).map(|r| total.bytes_in as f64 * r),
                tokens_out: rate.filter(|_| text(states.get(&step.id))).map(|r| total.bytes_out as f64 * r),
                from: from(plan, step),
                step: name,
                op: step.op.clone(),
                flow: total,
                sources,
                stale: one.stale,
            });
        }
    }
    Ok(rows)
}

/// The flow that a manifest states for a step.
fn counted(done: &Done<'_>, name: &str) -> Flow {
    let found = done.finished.manifest.funnels.iter().find(|funnel| funnel.step == name);
    found.map_or_else(Flow::default, |funnel| Flow {
        input: funnel.documents_in,
        output: funnel.documents_out,
        bytes_in: funnel.bytes_in,
        bytes_out: funnel.bytes_out,
        edited: 0,
        reasons: funnel.reasons.clone(),
    })
}

fn tokenized(plan: &Plan, done: &Done<'_>) -> Option<Row> {
    let counts = &done.finished.manifest.parts.get("")?.counts;
    let count = |what: &str| counts.get(what).copied().unwrap_or(0);
    let (documents, bytes) = (count("documents"), count("bytes"));
    let flow =
        Flow { input: documents, output: documents, bytes_in: bytes, bytes_out: bytes, ..Flow::default() };
    let tokens = Some(count("tokens") as f64);
    let step = done.task.last();
    Some(Row {
        step: plan.name(&step.id),
        op: step.op.clone(),
        from: from(plan, step),
        flow,
        tokens_in: tokens,
        tokens_out: tokens,
        stale: done.stale,
        ..Row::default()
    })
}

/// Names of the steps whose documents a step reads.
fn from(plan: &Plan, step: &Step) -> Vec<String> {
    let pipes = if step.op == CONCAT { step.inputs.len() } else { 1 };
    step.inputs.iter().take(pipes).map(|port| plan.name(&port.step)).collect()
}

/// The state that each step gives.
fn states(plan: &Plan, registry: &Registry) -> BTreeMap<StepId, State> {
    let mut states = BTreeMap::new();
    for step in &plan.steps {
        let given = step.inputs.first().and_then(|port| states.get(&port.step)).copied();
        let flow = registry.meant(&step.op, &step.args).and_then(|signature| signature.flow);
        let state =
            if step.op == CONCAT { given } else { flow.and_then(|flow| flow.gives(&step.args, given)) };
        if let Some(state) = state {
            states.insert(step.id.clone(), state);
        }
    }
    states
}

/// Tokens of a byte of text, for each step whose documents are tokenized in the end.
fn rates(plan: &Plan, done: &[Done<'_>]) -> BTreeMap<StepId, f64> {
    let mut rates = BTreeMap::new();
    for one in done.iter().filter(|one| one.task.last().op == "tokenize") {
        let Some(counts) = one.finished.manifest.parts.get("").map(|part| &part.counts) else { continue };
        let count = |what: &str| counts.get(what).copied().unwrap_or(0) as f64;
        if count("bytes") == 0.0 {
            continue;
        }
        let rate = count("tokens") / count("bytes");
        let mut open: Vec<&StepId> = one.task.last().inputs.iter().take(1).map(|port| &port.step).collect();
        while let Some(id) = open.pop() {
            if rates.contains_key(id) {
                continue;
            }
            rates.insert(id.clone(), rate);
            let inputs = plan.step(id).map(|step| step.inputs.as_slice()).unwrap_or_default();
            open.extend(inputs.iter().map(|port| &port.step));
        }
    }
    rates
}

/// Sources above a step, the step itself included, with the labels of their files.
pub(crate) fn origins(plan: &Plan, step: &Step, options: &Options<'_>) -> Vec<(String, Vec<String>)> {
    let mut sources = Vec::new();
    let mut seen = BTreeSet::new();
    let mut open = vec![step];
    while let Some(step) = open.pop() {
        if !seen.insert(step.id.clone()) {
            continue;
        }
        if step.inputs.is_empty() {
            // A source whose files are gone by now only loses its name.
            let files = files(step, options).unwrap_or_default();
            sources.push((plan.name(&step.id), files));
        }
        // Further inputs of a step are what its arguments refer to, not its documents.
        let pipes = if step.op == CONCAT { step.inputs.len() } else { 1 };
        open.extend(step.inputs.iter().take(pipes).filter_map(|port| plan.step(&port.step)));
    }
    sources.sort();
    sources
}

/// Labels of the files of a source; none where it reads no files.
fn files(step: &Step, options: &Options<'_>) -> Result<Vec<String>, Failure> {
    let files = match Named::of(&step.op, &step.args) {
        Some(named) if step.args.contains_key("split") => found::repository(&named, &options.roots)?.files,
        Some(_) => return Ok(Vec::new()),
        None => match readers::reader(&step.op, &step.args).map_err(data_failure)? {
            Some(reader) => options.roots.files(reader.glob()).map_err(data_failure)?,
            None => return Ok(Vec::new()),
        },
    };
    Ok(files.into_iter().map(|file| file.label).collect())
}
