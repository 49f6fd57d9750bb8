//! Runs a plan: task by task, what is in the store already is left alone.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use llmp_data::readers::Roots;
use llmp_stdlib::{Event, Plan, Registry, StepId};

use crate::device::Device;
use crate::failure::Failure;
use crate::guards;
use crate::operations::{self, Work};
use crate::place;
use crate::resolve::{self, Finished, Results};
use crate::store::durable::Hook;
use crate::store::files::Index;
use crate::store::{Definition, Journal, Manifest, Store};
use crate::task::{Task, tasks};

/// Where and how a plan runs. Nothing here is part of a key.
pub struct Options<'a> {
    /// Root of the project: the store lies in its `.llmp`.
    pub project: PathBuf,
    /// Name of the program, for its journal and links.
    pub program: String,
    /// Where paths of the program lie on this machine.
    pub roots: Roots,
    /// Raised from outside to stop; what is finished is kept.
    pub stop: &'a AtomicBool,
    /// Called around every write and rename; a test ends the process there.
    pub hook: Hook<'a>,
    /// What computes the steps of training.
    pub device: Device,
}

/// The state of one task before a run.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// Its result is in the store.
    Cached,
    /// It would run, for these reasons.
    Runs(Vec<String>),
    /// It cannot be said before this step has run.
    Waits(StepId),
}

/// One task and its state.
#[derive(Debug, Clone)]
pub struct Status {
    /// Steps of the task.
    pub steps: Vec<StepId>,
    /// Name of the task for people.
    pub name: String,
    /// Its state.
    pub state: State,
    /// Why it ran when it last ran, in words.
    pub last: Vec<String>,
}

/// Says for each task whether its result is in the store, and why not.
pub fn status(plan: &Plan, registry: &Registry, options: &Options<'_>) -> Result<Vec<Status>, Failure> {
    let store = Store::at(&options.project);
    status_with(plan, registry, options, Index::open(&store))
}

/// As [`status`], without reading a byte of data: a file that is not as it was when it was last read counts as changed.
pub fn peek(plan: &Plan, registry: &Registry, options: &Options<'_>) -> Result<Vec<Status>, Failure> {
    let store = Store::at(&options.project);
    status_with(plan, registry, options, Index::open(&store).only_known())
}

fn status_with(
    plan: &Plan,
    registry: &Registry,
    options: &Options<'_>,
    mut index: Index,
) -> Result<Vec<Status>, Failure> {
    let store = Store::at(&options.project);
    let journal = Journal::open(&store, &options.program);
    let mut results = Results::new();
    let mut states = Vec::new();
    for task in tasks(plan, registry) {
        let name = |id: &StepId| plan.name(id);
        let definition = resolve::definition(&task, &results, registry, &options.roots, &mut index, name)?;
        let state = match definition {
            None => State::Waits(first_missing(&task, &results)),
            Some(definition) => match store.manifest(&definition.key())? {
                Some(manifest) => {
                    let folder = store.folder(&definition.key());
                    results.insert(task.last().id.clone(), Finished { folder, manifest });
                    State::Cached
                }
                None => State::Runs(journal.reasons(&task.name, &definition)),
            },
        };
        let last = journal.get(&task.name).map(|r| r.because.clone()).unwrap_or_default();
        let steps = task.steps.iter().map(|s| s.id.clone()).collect();
        states.push(Status { steps, name: task.name.clone(), state, last });
    }
    // The index is only the fast path of a later look: a folder that cannot be written changes nothing.
    if store.root().exists() {
        index.save(options.hook)?;
    }
    Ok(states)
}

fn first_missing(task: &Task<'_>, results: &Results) -> StepId {
    let missing = task.inputs().into_iter().find(|port| !results.contains_key(&port.step));
    missing.map_or_else(|| task.last().id.clone(), |port| port.step.clone())
}

/// Runs what is not in the store. Events are given to `emit` in order, on the calling thread.
///
/// Errors: the first failure, with its step; what was finished before is kept.
pub fn run(
    plan: &Plan,
    registry: &Registry,
    options: &Options<'_>,
    emit: &(dyn Fn(Event) + Sync),
) -> Result<BTreeMap<StepId, Finished>, Failure> {
    let store = Store::at(&options.project);
    let mut journal = Journal::open(&store, &options.program);
    let mut index = Index::open(&store);
    let mut results = Results::new();
    for task in tasks(plan, registry) {
        if options.stop.load(Ordering::Relaxed) {
            return Err(Failure::stopped());
        }
        let name = |id: &StepId| plan.name(id);
        let definition = resolve::definition(&task, &results, registry, &options.roots, &mut index, name)?;
        let definition =
            definition.ok_or_else(|| Failure::new("LLMP1301", "a step has an input that nothing makes"))?;
        index.save(options.hook)?;
        let runner =
            Runner { plan, task: &task, definition: &definition, store: &store, options, results: &results };
        let (finished, ran) = runner.result(&journal, emit).map_err(|failure| failure.at(&task.last().id))?;
        journal.remember(&task.name, &definition, ran, options.hook)?;
        results.insert(task.last().id.clone(), finished);
        guards::check(plan, &task.last().id, &results)?;
    }
    let _lock = store.lock_places()?;
    place::releases(plan, &results, options, &mut index, emit)?;
    place::links(plan, &results, options)?;
    Ok(results)
}

struct Runner<'a> {
    plan: &'a Plan,
    task: &'a Task<'a>,
    definition: &'a Definition,
    store: &'a Store,
    options: &'a Options<'a>,
    results: &'a Results,
}

impl Runner<'_> {
    /// The task's result, and why it ran if it did.
    fn result(
        &self,
        journal: &Journal,
        emit: &(dyn Fn(Event) + Sync),
    ) -> Result<(Finished, Option<Vec<String>>), Failure> {
        let key = self.definition.key();
        let (step, op) = (self.task.name.clone(), self.task.last().op.clone());
        let cached = |manifest| {
            emit(Event::Cached { step: step.clone(), op: op.clone() });
            Ok((Finished { folder: self.store.folder(&key), manifest }, None))
        };
        if let Some(manifest) = self.store.manifest(&key)? {
            return cached(manifest);
        }
        let waiting =
            || emit(Event::Waiting { step: step.clone(), what: "another run that works on it".into() });
        let _lock = self.store.lock(&key, waiting)?;
        if let Some(manifest) = self.store.manifest(&key)? {
            return cached(manifest);
        }
        let reasons = journal.reasons(&self.task.name, self.definition);
        let begin = Instant::now();
        let manifest = self.perform(emit)?;
        let folder = self.store.folder(&key);
        let seconds = begin.elapsed().as_secs_f64();
        emit(Event::Finished { step, op, seconds });
        Ok((Finished { folder, manifest }, Some(reasons)))
    }

    fn perform(&self, emit: &(dyn Fn(Event) + Sync)) -> Result<Manifest, Failure> {
        let key = self.definition.key();
        let folder = self.store.work_folder(&key);
        std::fs::create_dir_all(&folder).map_err(|e| Failure::io("create", &folder, &e))?;
        let work = Work {
            plan: self.plan,
            task: self.task,
            folder: &folder,
            results: self.results,
            options: self.options,
            emit,
        };
        let made = operations::perform(&work)?;
        let manifest = Manifest {
            format: 1,
            llmp: env!("CARGO_PKG_VERSION").into(),
            definition: self.definition.clone(),
            parts: made.parts,
            funnels: made.funnels,
            bad_records: made.bad_records,
            metrics: made.metrics,
            numerics: crate::numerics::class(self.options.device.name()),
            versions: operations::versions(),
        };
        self.store.publish(&key, &manifest, self.options.hook)?;
        Ok(manifest)
    }
}
