//! `llmp why STEP`: why a step runs, or why it does not.

use std::sync::atomic::AtomicBool;

use llmp_exec::{State, Status};

use crate::Exit;
use crate::args::{Color, Format, Why};
use crate::load::{self, Planned};
use crate::output;

pub(crate) fn why(args: &Why, color: Color) -> Exit {
    let located = load::located(args.file.as_ref(), "why STEP", &args.reading, &args.roots, color);
    let (planned, place) = match located {
        Ok(located) => located,
        Err(exit) => return exit,
    };
    let Some(step) = planned.plan.named(&args.step).or_else(|| item(&planned, &args.step)) else {
        let names: Vec<&str> = planned.plan.names.values().flatten().map(String::as_str).collect();
        let near = llmp_grammar::nearest(&args.step, names.iter().copied());
        let hint = near.map_or_else(
            || format!("; there are: {}", names.join(", ")),
            |n| format!("; did you mean `{n}`?"),
        );
        return load::usage(&format!("no step is called `{}`{hint}", args.step));
    };
    let stop = AtomicBool::new(false);
    let options = place.options(&stop, &llmp_exec::durable::no_hook);
    match llmp_exec::status(&planned.plan, &planned.checked.registry, &options) {
        Ok(states) => {
            let found = states.iter().find(|s| s.steps.contains(&step.id));
            if let Some(status) = found {
                match args.format {
                    Format::Human => explain(&planned, &states, status),
                    Format::Json => output::print(&format!("{:#}\n", object(&planned, status))),
                }
            }
            Exit::Clean
        }
        Err(failure) => load::fail(&failure, &planned, color),
    }
}

/// The step that makes an item's result.
fn item<'p>(planned: &'p Planned, name: &str) -> Option<&'p llmp_stdlib::Step> {
    planned.plan.items.get(name).and_then(|port| planned.plan.step(&port.step))
}

fn object(planned: &Planned, status: &Status) -> serde_json::Value {
    let (state, because) = match &status.state {
        State::Cached => ("cached", Vec::new()),
        State::Runs(reasons) => ("runs", reasons.clone()),
        State::Waits(on) => ("waits", vec![planned.plan.name(on)]),
    };
    let steps: Vec<String> = status.steps.iter().map(|s| planned.plan.name(s)).collect();
    serde_json::json!({
        "step": status.name, "steps": steps, "state": state, "because": because, "last": status.last,
    })
}

fn explain(planned: &Planned, states: &[Status], status: &Status) {
    let mut text = String::new();
    if status.steps.len() > 1 {
        let names: Vec<String> = status.steps.iter().map(|s| planned.plan.name(s)).collect();
        text.push_str(&format!("{} run together over one read\n", names.join(", ")));
    }
    match &status.state {
        State::Cached => {
            text.push_str(&format!("{}: in the store, does not run\n", status.name));
            status.last.iter().for_each(|why| text.push_str(&format!("  it ran last because {why}\n")));
        }
        State::Runs(reasons) => {
            text.push_str(&format!("{}: runs\n", status.name));
            reasons.iter().for_each(|why| text.push_str(&format!("  {why}\n")));
        }
        State::Waits(on) => {
            let name = planned.plan.name(on);
            text.push_str(&format!(
                "{}: known after {name} has run; if that gives the same as before, this does not run\n",
                status.name
            ));
            let root = states.iter().find(|s| matches!(s.state, State::Runs(_)));
            if let Some(Status { name, state: State::Runs(reasons), .. }) = root {
                reasons.iter().for_each(|why| text.push_str(&format!("  {name}: {why}\n")));
            }
        }
    }
    output::print(&text);
}
