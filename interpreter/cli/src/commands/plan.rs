//! `llmp plan`: what would run, what is there already, what it costs.

use std::sync::atomic::AtomicBool;

use llmp_exec::{State, Status};
use llmp_stdlib::number::human;
use llmp_stdlib::{Plan, StepId};
use serde_json::json;

use crate::Exit;
use crate::args::{self, Color, Format};
use crate::load::{self, Planned};
use crate::output;

pub(crate) fn plan(args: &args::Plan, color: Color) -> Exit {
    let Some(planned) = load::plan_frozen(&args.file, &args.items, &args.reading, args.frozen, color) else {
        return Exit::Failed;
    };
    let place = match load::place(&args.file, &args.roots) {
        Ok(place) => place,
        Err(words) => {
            output::note(&format!("error: {words}"));
            return Exit::Usage;
        }
    };
    let stop = AtomicBool::new(false);
    let options = place.options(&stop, &llmp_exec::durable::no_hook);
    // Missing inputs do not keep a plan from being shown: then nothing is cached.
    let status = llmp_exec::peek(&planned.plan, &planned.checked.registry, &options);
    let states = status.as_ref().map_or(&[][..], |s| s.as_slice());
    match args.format {
        Format::Human => people(&planned, states),
        Format::Json => output::print(&format!("{:#}\n", object(&planned, states))),
    }
    if let Err(failure) = &status {
        output::note(&format!("note: {failure}; what is in the store cannot be told"));
    }
    Exit::Clean
}

fn state<'s>(states: &'s [Status], step: &StepId) -> Option<&'s Status> {
    states.iter().find(|s| s.steps.contains(step))
}

fn object(planned: &Planned, states: &[Status]) -> serde_json::Value {
    let plan = &planned.plan;
    let steps: Vec<_> = plan
        .steps
        .iter()
        .map(|step| {
            let cached = state(states, &step.id).is_some_and(|s| s.state == State::Cached);
            let inputs: Vec<&str> = step.inputs.iter().map(|p| p.step.0.as_str()).collect();
            let args = llmp_stdlib::value::canonical_record(&step.args);
            json!({
                "id": step.id.0, "name": plan.name(&step.id), "op": step.op, "rev": step.rev, "args": args,
                "cached": cached, "inputs": inputs,
            })
        })
        .collect();
    let estimates = llmp_interpreter::estimates_json(&estimates(planned));
    json!({ "hash": plan.hash(), "models": plan.models, "stages": plan.stages, "estimates": estimates, "comparisons": plan.comparisons, "steps": steps })
}

fn people(planned: &Planned, states: &[Status]) {
    let plan = &planned.plan;
    let mut text = format!("plan {}\n\nsteps\n", &plan.hash()[..16]);
    let width = plan.steps.iter().map(|s| plan.name(&s.id).chars().count()).max().unwrap_or(0);
    for step in &plan.steps {
        let word = match state(states, &step.id).map(|s| &s.state) {
            Some(State::Cached) => "in the store".to_owned(),
            Some(State::Runs(why)) => format!("runs: {}", why.join("; ")),
            Some(State::Waits(on)) => format!("runs after {}", plan.name(on)),
            None => "runs".to_owned(),
        };
        let inputs: Vec<String> = step.inputs.iter().map(|p| part_name(plan, p)).collect();
        let from = if inputs.is_empty() { String::new() } else { format!("   ← {}", inputs.join(", ")) };
        text.push_str(&format!("  {:<width$}  {:<18} {word}{from}\n", plan.name(&step.id), step.op));
    }
    if !plan.models.is_empty() {
        text.push_str("\nmodels\n");
        for (name, cost) in &plan.models {
            text.push_str(&format!(
                "  {name}: {} parameters ({}), {} without embeddings, {} used for a token\n",
                grouped(cost.parameters),
                human(cost.parameters as f64),
                grouped(cost.non_embedding),
                grouped(cost.active)
            ));
        }
    }
    if !plan.stages.is_empty() {
        text.push_str("\nstages\n");
        text.push_str(&llmp_interpreter::estimates_text(&estimates(planned)));
    }
    if !plan.comparisons.is_empty() {
        text.push_str("\ncomparisons\n");
        text.push_str(&llmp_interpreter::comparisons_text(plan));
    }
    output::print(&text);
}

fn estimates(planned: &Planned) -> Vec<llmp_interpreter::StageEstimate> {
    llmp_interpreter::estimates(&planned.checked.program, &planned.checked.registry, &planned.plan)
}

fn part_name(plan: &Plan, port: &llmp_stdlib::Port) -> String {
    let part = port.part.as_ref().map(|p| format!(".{p}")).unwrap_or_default();
    format!("{}{part}", plan.name(&port.step))
}

/// `2_654_208`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|c| std::str::from_utf8(c).ok()).collect();
    groups.join("_")
}
