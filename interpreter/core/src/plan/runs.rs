//! The runs of a comparison: the plan of each arm, once for every seed; equal steps are one.

use std::collections::{BTreeMap, BTreeSet};

use llmp_stdlib::compare::{Comparison, Run, words};
use llmp_stdlib::{ItemRef, Output, Planner, Port, Problem, Step, StepId, Value, View};

use super::{Maker, ports, silent};
use crate::check::arm_cost;

impl Maker<'_> {
    /// Adds the steps of every run and says which model each gives.
    pub(super) fn comparison(&mut self, compare: &View<'_>) -> Result<Vec<Run>, Problem> {
        let program = self.program;
        let arms = program.arms.get(compare.name).ok_or_else(silent)?;
        let Some(Value::Item(of)) = compare.get("of") else { return Err(silent()) };
        let seeds = compare.read::<u64>("seeds").unwrap_or(1);
        let mut size = Comparison::default();
        let mut distinct: BTreeSet<StepId> = BTreeSet::new();
        let mut runs = Vec::new();
        for arm in arms {
            let mut maker = Maker::new(&arm.program, self.registry);
            maker.ahead(&of.item);
            let output = maker.item(&ItemRef { item: of.item.clone(), part: None })?;
            let wanted = ports(&output).into_iter().map(|p| p.step).collect();
            let (plan, _) = maker.finish(wanted);
            if let Some(cost) = arm_cost(arm, &of.item) {
                size.arms.push((words(&arm.values), cost.tokens, cost.flops));
            }
            for seed in 0..seeds {
                let mut new: BTreeMap<StepId, StepId> = BTreeMap::new();
                for step in &plan.steps {
                    let seeded = reseed(step, seed, &new);
                    size.steps += 1;
                    distinct.insert(seeded.id.clone());
                    new.insert(step.id.clone(), seeded.id.clone());
                    self.keep(
                        &plan,
                        step,
                        seeded,
                        &format!("{}.{}.{seed}", compare.name, words(&arm.values)),
                    );
                }
                runs.push(Run { arm: arm.values.clone(), seed, model: moved(output.clone(), &new) });
            }
        }
        size.runs = runs.len() as u64;
        size.distinct = distinct.len() as u64;
        self.plan.comparisons.insert(compare.name.to_owned(), size);
        Ok(runs)
    }

    fn keep(&mut self, plan: &llmp_stdlib::Plan, step: &Step, seeded: Step, prefix: &str) {
        let id = seeded.id.clone();
        if self.steps.contains_key(&id) {
            return;
        }
        let same = id == step.id;
        let name = plan.name(&step.id);
        if let Some(span) = plan.spans.get(&step.id) {
            self.plan.spans.insert(id.clone(), *span);
        }
        if let Some(attributes) = plan.attributes.get(&step.id) {
            self.plan.attributes.insert(id.clone(), attributes.clone());
        }
        self.steps.insert(id.clone(), seeded);
        let plain = same && plan.steps.first() == Some(step);
        self.named(&id, if plain { name } else { format!("{prefix}.{name}") });
    }
}

/// The step under another seed: `replicate` grows in it and in all that it reads.
fn reseed(step: &Step, seed: u64, new: &BTreeMap<StepId, StepId>) -> Step {
    let mut args = step.args.clone();
    if let Some(Value::Number(q)) = args.get_mut("replicate") {
        q.amount += llmp_stdlib::Rational::from(i128::from(seed));
    }
    let inputs = step.inputs.iter().map(|port| moved_port(port.clone(), new)).collect();
    Step::with_revs(&step.op, step.rev, args, inputs, step.revs.clone())
}

fn moved_port(port: Port, new: &BTreeMap<StepId, StepId>) -> Port {
    Port { step: new.get(&port.step).cloned().unwrap_or(port.step), part: port.part }
}

fn moved(output: Output, new: &BTreeMap<StepId, StepId>) -> Output {
    match output {
        Output::Model { spec, tokenizer, weights } => Output::Model {
            spec,
            tokenizer: tokenizer.map(|p| moved_port(p, new)),
            weights: weights.map(|p| moved_port(p, new)),
        },
        Output::Port(port) => Output::Port(moved_port(port, new)),
        other => other,
    }
}
