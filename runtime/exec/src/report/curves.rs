//! Loss curves of a program: the runs of a comparison in one figure, every other stage in one of its own.

use std::collections::BTreeSet;

use llmp_stdlib::compare::words;
use llmp_stdlib::{Plan, StepId};
use llmp_train::curve::{self, Curve};
use llmp_train::kinds::Comparing;
use serde::Serialize;

use crate::ledger::Done;

/// Curves that are drawn together.
#[derive(Debug, Clone, Serialize)]
pub struct Curves {
    /// The comparison or the stage.
    pub name: String,
    /// Its curves.
    pub runs: Vec<Curve>,
}

pub(super) fn curves(plan: &Plan, done: &[Done<'_>]) -> Vec<Curves> {
    let curve = |id: &StepId, name: String, group: String| {
        let folder = done.iter().find(|one| one.task.last().id == *id)?.finished.part("")?;
        Some(Curve::read(name, group, &folder)).filter(|curve| !curve.points.is_empty())
    };
    let mut all = Vec::new();
    let mut compared: BTreeSet<StepId> = BTreeSet::new();
    for step in plan.steps.iter().filter(|step| step.op == Comparing::OP) {
        let Ok(settings) = Comparing::from_args(&step.args) else { continue };
        let mut runs = Vec::new();
        for run in settings.runs {
            let Some(port) = step.inputs.get(run.model) else { continue };
            compared.insert(port.step.clone());
            let group = words(&run.arm);
            let name = format!("{group}, seed {}", run.seed);
            runs.extend(curve(&port.step, name, group));
        }
        all.push(Curves { name: plan.name(&step.id), runs });
    }
    for one in done.iter().filter(|one| !compared.contains(&one.task.last().id)) {
        let name = one.task.name.clone();
        let run = curve(&one.task.last().id, name.clone(), String::new());
        all.extend(run.map(|run| Curves { name, runs: vec![run] }));
    }
    all.retain(|curves| !curves.runs.is_empty());
    all
}

/// The section of the page; it needs no script.
pub(super) fn section(curves: &[Curves]) -> String {
    let figures: String = curves.iter().map(|one| curve::figure(&one.name, &one.runs)).collect();
    if figures.is_empty() {
        return figures;
    }
    format!(
        "<section id=\"training\" data-title=\"Training\" aria-labelledby=\"training-title\">\n\
         <h2 id=\"training-title\">Training</h2>\n\
         <p class=\"lead\">Loss against tokens, in means over equal numbers of steps where there are many, held-out loss as dots, and the learning rate.</p>\n\
         {figures}</section>\n"
    )
}
