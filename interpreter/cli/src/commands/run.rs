//! `llmp run`: does what is not in the store yet.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use llmp_grammar::render;
use llmp_stdlib::Event;
use serde_json::json;

use crate::Exit;
use crate::args::{Color, Format, Run};
use crate::funnel;
use crate::load::{self, Planned};
use crate::output;
use crate::progress::Terminal;

static STOP: AtomicBool = AtomicBool::new(false);

pub(crate) fn run(args: &Run, color: Color) -> Exit {
    let Some(planned) = load::plan_frozen(&args.file, &args.items, &args.reading, args.frozen, color) else {
        return Exit::Failed;
    };
    if !planned.plan.lacks.is_empty() {
        refuse(&planned, args.format, color);
        return Exit::Failed;
    }
    let place = match load::place(&args.file, &args.roots) {
        Ok(place) => place,
        Err(words) => {
            output::note(&format!("error: {words}"));
            return Exit::Usage;
        }
    };
    if let Some(failure) = programs(&planned).filter(|_| !args.allow_external) {
        report(&failure, &planned, args.format, color);
        return Exit::Failed;
    }
    // The second signal ends the process at once; what is on the disk is whole at any moment.
    let handler = ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        output::note("stopping after this step; again to stop at once");
    });
    if let Err(error) = handler {
        output::note(&format!("note: Ctrl-C ends the run at once ({error})"));
    }
    let hook = failpoint();
    let device = match llmp_exec::Device::open(&args.device, &planned.plan) {
        Ok(device) => device,
        Err(failure) => {
            report(&failure, &planned, args.format, color);
            return Exit::Failed;
        }
    };
    let options = llmp_exec::Options { device, ..place.options(&STOP, &hook) };
    let terminal = Mutex::new(Terminal::new());
    let emit = |event: Event| match args.format {
        Format::Human => {
            if let Ok(mut terminal) = terminal.lock() {
                match &event {
                    Event::HeldUp { step, message } => {
                        let diag = load::held_up(step, message, &planned);
                        let shown =
                            render::terminal(&[diag], planned.checked.sources(), output::colored(color));
                        terminal.line(shown.trim_end());
                    }
                    other => terminal.show(other),
                }
            }
        }
        Format::Json => output::print(&format!("{}\n", json!(event))),
    };
    let fetched = llmp_exec::fetch(&planned.plan, &planned.checked.registry, &options, &emit);
    let verified =
        fetched.and_then(|()| if args.frozen.frozen { verify(&planned, &place, args) } else { Ok(()) });
    if let Err(failure) = verified {
        report(&failure, &planned, args.format, color);
        return Exit::Failed;
    }
    let outcome = llmp_exec::run(&planned.plan, &planned.checked.registry, &options, &emit);
    match outcome {
        Ok(results) => {
            if args.format == Format::Human
                && let Ok(mut terminal) = terminal.lock()
            {
                terminal.end();
            }
            if let Err(failure) = funnel::show(&planned, &options, args.format) {
                report(&failure, &planned, args.format, color);
                return Exit::Failed;
            }
            comparisons(&planned, &results, args.format);
            Exit::Clean
        }
        Err(failure) => {
            report(&failure, &planned, args.format, color);
            Exit::Failed
        }
    }
}

/// What came out of every comparison of the program: the table for people, the JSON as one line.
fn comparisons(
    planned: &Planned,
    results: &std::collections::BTreeMap<llmp_stdlib::StepId, llmp_exec::Finished>,
    format: Format,
) {
    for step in planned.plan.steps.iter().filter(|step| step.op == "compare") {
        let name = planned.plan.name(&step.id);
        let Some(folder) = results.get(&step.id).and_then(|found| found.part("")) else { continue };
        let read = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap_or_default();
        match format {
            Format::Human => {
                let page = folder.join("comparison.html");
                output::print(&format!("\n{name}\n\n{}plots: {}\n", read("comparison.txt"), page.display()));
            }
            Format::Json => {
                let facts: serde_json::Value =
                    serde_json::from_str(&read("comparison.json")).unwrap_or_default();
                let line = json!({ "event": "comparison", "step": name, "comparison": facts });
                output::print(&format!("{line}\n"));
            }
        }
    }
}

/// Says what this version cannot run, before anything starts.
fn refuse(planned: &Planned, format: Format, color: Color) {
    let lacks = &planned.plan.lacks;
    match format {
        Format::Human => {
            let shown = render::terminal(lacks, planned.checked.sources(), output::colored(color));
            output::note(shown.trim_end());
            output::note("nothing was started; `llmp plan` shows what would run");
        }
        Format::Json => {
            for diag in lacks {
                let line = json!({ "event": "failed", "code": diag.code, "message": diag.message, "step": null, "help": diag.help });
                output::print(&format!("{line}\n"));
            }
        }
    }
}

/// What a plan that starts programs of its own is refused with, unless that is allowed.
fn programs(planned: &Planned) -> Option<llmp_exec::Failure> {
    let step = planned.plan.steps.iter().find(|step| step.op == "external")?;
    let words = match step.args.get("command") {
        Some(llmp_stdlib::Value::List(words)) => words.iter().map(|word| match word {
            llmp_stdlib::Value::Text(word) => word.clone(),
            other => other.to_string(),
        }),
        _ => return None,
    };
    let words: Vec<String> = words.collect();
    let message = format!("this step starts the program `{}`", words.join(" "));
    let help = "read what it does, then run with --allow-external; nothing was started";
    Some(llmp_exec::Failure::new("LLMP1305", message).help(help).at(&step.id))
}

/// Every input is as the lock says, file by file, before anything starts.
fn verify(planned: &Planned, place: &load::Place, args: &Run) -> Result<(), llmp_exec::Failure> {
    let program = args.file.to_string_lossy();
    let places = llmp_exec::inputs::Places {
        roots: &place.roots,
        locked: &planned.checked.loaded.locked,
        program: &program,
    };
    let store = llmp_exec::store::Store::at(&place.project);
    let mut index = llmp_exec::store::files::Index::open(&store);
    llmp_exec::inputs::verify(&planned.plan, &planned.checked.registry, &places, &mut index)?;
    index.save(&llmp_exec::durable::no_hook)
}

fn report(failure: &llmp_exec::Failure, planned: &Planned, format: Format, color: Color) {
    match format {
        Format::Human => {
            let diag = load::diagnose(failure, planned);
            output::note(&render::terminal(&[diag], planned.checked.sources(), output::colored(color)));
        }
        Format::Json => {
            let step = failure.step.as_ref().map(|s| planned.plan.name(s));
            output::print(&format!(
                "{}\n",
                json!({ "event": "failed", "code": failure.code, "message": failure.message, "step": step, "help": failure.help })
            ));
        }
    }
}

/// `LLMP_FAILPOINT=n` ends the process at the n-th write or rename: how the tests of crashes work.
fn failpoint() -> impl Fn(&str) + Sync {
    let at: Option<u64> = std::env::var("LLMP_FAILPOINT").ok().and_then(|n| n.parse().ok());
    let seen = AtomicU64::new(0);
    move |name: &str| {
        if at == Some(seen.fetch_add(1, Ordering::Relaxed) + 1) {
            output::note(&format!("failpoint: {name}"));
            std::process::abort();
        }
    }
}
