//! Conditions that only the run can decide: judged as soon as what they read is there, before anything behind it is spent.

use std::collections::BTreeMap;

use llmp_stdlib::plan::Guard;
use llmp_stdlib::{Plan, StepId};

use crate::failure::Failure;
use crate::resolve::Results;

/// Judges the guards that the result of `step` completes.
///
/// Errors: the first condition that does not hold, at its place, with what was counted.
pub(crate) fn check(plan: &Plan, step: &StepId, results: &Results) -> Result<(), Failure> {
    let completed = |guard: &&Guard| {
        let mut steps = guard.reads.iter().map(|(_, port, _)| &port.step);
        steps.clone().any(|s| s == step) && steps.all(|s| results.contains_key(s))
    };
    plan.guards.iter().filter(completed).try_for_each(|guard| judge(guard, step, results))
}

fn judge(guard: &Guard, step: &StepId, results: &Results) -> Result<(), Failure> {
    let mut values = BTreeMap::new();
    let mut counted = Vec::new();
    for (index, (item, port, field)) in guard.reads.iter().enumerate() {
        let part = port.part.as_deref().unwrap_or_default();
        let content = results.get(&port.step).and_then(|r| r.manifest.parts.get(part));
        let Some(count) = content.and_then(|c| c.counts.get(field)) else {
            let message =
                format!("`{item}.{field}` was not counted, so `{}` cannot be decided", guard.condition);
            return Err(failure(guard, step, message));
        };
        values.insert(index.to_string(), *count as f64);
        counted.push(format!("{item}.{field} = {count}"));
    }
    let holds = guard.formula.as_ref().and_then(|formula| llmp_train::require::holds(formula, &values));
    if holds == Some(true) {
        return Ok(());
    }
    let message = format!("check failed: {} ({})", guard.words, counted.join(", "));
    Err(failure(guard, step, message))
}

fn failure(guard: &Guard, step: &StepId, message: String) -> Failure {
    Failure { span: Some(guard.span), ..Failure::new("LLMP0805", message) }
        .at(step)
        .help("what was made so far is kept; nothing behind it was started")
}
