//! Tasks: steps of a plan that run together and store one result.
//!
//! Row-wise steps that follow each other run fused over one read. A task ends where its result is read more than
//! once, in parts, or by something that is not row-wise. A step that runs a model is a task of its own: what it wrote is not to
//! be written again because a filter behind it changed.

use std::collections::BTreeMap;

use llmp_stdlib::{Plan, Port, Registry, Step, StepId};

/// The step that puts documents one after the other.
pub const CONCAT: &str = "concat";

/// Steps that run together.
#[derive(Debug, Clone)]
pub struct Task<'p> {
    /// The steps in order; each reads the one before it.
    pub steps: Vec<&'p Step>,
    /// Name of its last step for people: the name of the task.
    pub name: String,
}

impl Task<'_> {
    /// The step whose result is stored.
    pub fn last(&self) -> &Step {
        self.steps[self.steps.len() - 1]
    }

    /// Inputs from outside the task: for each step in order, those that are not the step before it.
    pub fn inputs(&self) -> Vec<&Port> {
        let mut inputs = Vec::new();
        for (index, step) in self.steps.iter().enumerate() {
            let skip = usize::from(index > 0);
            inputs.extend(step.inputs.iter().skip(skip));
        }
        inputs
    }
}

/// Groups the steps of a plan, in an order in which they can run.
pub fn tasks<'p>(plan: &'p Plan, registry: &Registry) -> Vec<Task<'p>> {
    let mut readers: BTreeMap<&StepId, Vec<&Port>> = BTreeMap::new();
    // What a guard reads is stored as if a step read it.
    let guarded = plan.guards.iter().flat_map(|g| &g.reads).map(|(_, port, _)| port);
    for port in plan.steps.iter().flat_map(|s| &s.inputs).chain(guarded) {
        readers.entry(&port.step).or_default().push(port);
    }
    let row_wise = |step: &Step| {
        registry_flow(registry, step).is_some_and(|flow| flow.row_wise && !flow.is_source())
            && !llmp_data::steps::needs_all(&step.op, &step.args)
            && !llmp_train::steps::runs_model(&step.op)
    };
    // A step that gives parts writes several results, so its task ends there; one that runs a model is a task of its own.
    let ends = |step: &Step| {
        registry_flow(registry, step).is_some_and(|flow| !flow.parts.is_empty())
            || llmp_train::steps::runs_model(&step.op)
    };
    let documents = |step: &Step| step.op == CONCAT || registry_flow(registry, step).is_some();
    let mut tasks: Vec<Task<'p>> = Vec::new();
    let mut task_of: BTreeMap<&StepId, usize> = BTreeMap::new();
    for step in &plan.steps {
        let fusable = |port: &&Port| row_wise(step) && port.part.is_none();
        let before = step.inputs.first().filter(fusable).and_then(|port| {
            let index = *task_of.get(&port.step)?;
            let last = tasks[index].last();
            let only_reader = last.id == port.step && readers[&port.step].len() == 1;
            (only_reader && documents(last) && !ends(last)).then_some(index)
        });
        let name = plan.name(&step.id);
        match before {
            Some(index) => {
                tasks[index].steps.push(step);
                tasks[index].name = name;
                task_of.insert(&step.id, index);
            }
            None => {
                task_of.insert(&step.id, tasks.len());
                tasks.push(Task { steps: vec![step], name });
            }
        }
    }
    order(tasks, &task_of)
}

fn registry_flow(registry: &Registry, step: &Step) -> Option<llmp_stdlib::Flow> {
    registry.meant(&step.op, &step.args).and_then(|s| s.flow)
}

/// Topological order of tasks: fused steps may stand later in the plan than steps that do not depend on them.
fn order<'p>(tasks: Vec<Task<'p>>, task_of: &BTreeMap<&StepId, usize>) -> Vec<Task<'p>> {
    let needs: Vec<Vec<usize>> = tasks
        .iter()
        .map(|t| t.inputs().iter().filter_map(|p| task_of.get(&p.step).copied()).collect())
        .collect();
    let mut placed = vec![false; tasks.len()];
    let mut sequence = Vec::with_capacity(tasks.len());
    while sequence.len() < tasks.len() {
        let ready = (0..tasks.len()).find(|&i| !placed[i] && needs[i].iter().all(|&n| placed[n]));
        // A plan has no cycles, so one is always ready.
        let Some(next) = ready else { break };
        placed[next] = true;
        sequence.push(next);
    }
    let mut slots: Vec<Option<Task<'p>>> = tasks.into_iter().map(Some).collect();
    sequence.into_iter().filter_map(|i| slots[i].take()).collect()
}
