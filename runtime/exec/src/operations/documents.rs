//! Steps over documents: a reader, stored documents or a barrier, then the row-wise steps fused behind it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use llmp_data::engine::{self, BarrierStage, Input, Segment, Stage, Stored, Summary};
use llmp_data::kinds::Exporting;
use llmp_data::ledger::Origins;
use llmp_data::readers::Roots;
use llmp_data::steps::{self, Built, Map};
use llmp_data::{Progress, readers};
use llmp_stdlib::event::Funnel;
use llmp_stdlib::hub::Named;
use llmp_stdlib::{Event, Step, Value};

use super::{Made, Work, data_failure};
use crate::failure::Failure;
use crate::found;
use crate::ledger;
use crate::store::{BadRecords, Content, durable};
use crate::task::CONCAT;

/// Runs a task of documents.
pub(super) fn documents(work: &Work<'_>) -> Result<Made, Failure> {
    let first = work.task.steps[0];
    let out = work.folder.join("documents");
    let mut names = Vec::new();
    let mut steps = work.task.steps.as_slice();
    let input = if first.inputs.is_empty() {
        let reader = readers::reader(&first.op, &first.args).map_err(data_failure)?;
        let reader = reader.ok_or_else(|| unknown(first))?;
        let files = match Named::of(&first.op, &first.args) {
            Some(named) => found::repository(&named, &work.options.roots)?.files,
            None => reader.files(&work.options.roots).map_err(data_failure)?,
        };
        names.push(Some(work.plan.name(&first.id)));
        steps = &steps[1..];
        Input::Source(vec![(reader, files)])
    } else {
        names.push(None);
        // Further inputs of a step are what its arguments refer to.
        let mut pipes = 1;
        if first.op == CONCAT {
            steps = &steps[1..];
            pipes = first.inputs.len();
        }
        Input::Stored((0..pipes).map(|n| work.stored(first, n)).collect::<Result<_, _>>()?)
    };
    let mut segment = Segment::new(input, &out);
    segment.origins = Arc::new(Origins::new(ledger::origins(work.plan, first, work.options)));
    for step in steps {
        names.push(Some(work.plan.name(&step.id)));
        let roots = Roots { inputs: inputs(work, step)?, ..work.options.roots.clone() };
        let built = match steps::build(&step.op, &step.args, &roots) {
            Ok(None) => llmp_train::steps::build(&step.op, &step.args, &roots),
            built => built,
        };
        match built.map_err(|e| data_failure(e).at(&step.id))? {
            Some(Built::Map(map)) => segment.maps.push(stage(step, map, work)),
            Some(Built::Barrier(barrier)) => {
                segment.barrier = Some(BarrierStage { barrier, rejects: rejects(step, work) });
            }
            Some(Built::Split(split)) => segment.split = Some((split, work.folder.join("heldout"))),
            None => return Err(unknown(step)),
        }
    }
    let summary = run(work, &segment, &names)?;
    let mut parts = BTreeMap::from([(String::new(), content(&summary.main, "documents"))]);
    if segment.split.is_some() {
        parts.insert("heldout".to_owned(), content(&summary.heldout, "heldout"));
    }
    Ok(made(parts, &summary, &names))
}

/// What `Value::Input(n)` in a step's arguments stands for; the pipe of a fused step is nowhere.
fn inputs(work: &Work<'_>, step: &Step) -> Result<Vec<std::path::PathBuf>, Failure> {
    let pipe = std::iter::once(Ok(std::path::PathBuf::new()));
    pipe.chain((1..step.inputs.len()).map(|n| work.stored(step, n))).collect()
}

/// Writes stored documents or tokens in the form that an export names.
pub(super) fn export(work: &Work<'_>) -> Result<Made, Failure> {
    let wrong = |what: String| Failure::new("LLMP1003", what).at(&work.step().id);
    let exporting = Exporting::from_args(&work.step().args).map_err(wrong)?;
    let from = work.stored(work.step(), 0)?;
    let out = work.folder.join("export");
    work.started(None, "parts");
    let progress = |p: Progress| (work.emit)(Event::Progress { step: work.name(), done: p.records });
    llmp_data::write::export(&from, exporting.format, &out, &work.context(&progress))
        .map_err(data_failure)?;
    Ok(Made::whole("export", durable::hash_folder(&out)?, &[]))
}

fn unknown(step: &Step) -> Failure {
    Failure::new("LLMP0703", format!("this build cannot do `{}`", step.op)).at(&step.id)
}

fn stage(step: &Step, map: Arc<dyn Map>, work: &Work<'_>) -> Stage {
    Stage { map, rejects: rejects(step, work) }
}

/// `rejects = "folder"` of a step.
pub(super) fn rejects(step: &Step, work: &Work<'_>) -> Option<std::path::PathBuf> {
    match step.args.get("rejects") {
        Some(Value::Text(written)) => Some(work.options.roots.path(written)),
        _ => None,
    }
}

/// Runs a segment, and tells how it goes and what became of the documents.
pub(super) fn run(work: &Work<'_>, segment: &Segment, names: &[Option<String>]) -> Result<Summary, Failure> {
    let bytes: u64 = match &segment.input {
        Input::Source(sources) => sources.iter().flat_map(|(_, files)| files).map(|f| f.bytes).sum(),
        Input::Stored(_) => 0,
    };
    let resumed = Path::new(&segment.out).join("journal.jsonl").exists();
    let total = (bytes > 0).then_some(bytes);
    work.started(total, if total.is_some() { "bytes" } else { "documents" });
    if resumed {
        (work.emit)(Event::Resumed { step: work.name(), at: "the last finished part".into() });
    }
    let progress = |p: Progress| {
        let done = if total.is_some() { p.bytes } else { p.records };
        (work.emit)(Event::Progress { step: work.name(), done });
    };
    let summary = engine::run(segment, &work.context(&progress)).map_err(data_failure)?;
    tell(work, &summary, names);
    Ok(summary)
}

/// Says what became of the documents of a segment.
pub(super) fn tell(work: &Work<'_>, summary: &Summary, names: &[Option<String>]) {
    for bad in &summary.bad {
        (work.emit)(Event::BadRecord {
            step: work.name(),
            file: bad.file.clone(),
            place: bad.at.to_string(),
            what: bad.what.clone(),
        });
    }
    for funnel in funnels(summary, names) {
        (work.emit)(Event::Funnel { funnel });
    }
}

pub(super) fn content(stored: &Stored, path: &str) -> Content {
    let counts = [("documents".to_owned(), stored.documents), ("bytes".to_owned(), stored.bytes)].into();
    Content { hash: stored.hash.clone(), path: path.to_owned(), counts }
}

/// Counts under the names of the plan; what only reads the store has none.
fn funnels(summary: &Summary, names: &[Option<String>]) -> Vec<Funnel> {
    let named = summary.counts.iter().zip(names).filter_map(|(count, name)| Some((count, name.clone()?)));
    named
        .map(|(count, step)| Funnel {
            step,
            documents_in: count.input,
            documents_out: count.output,
            bytes_in: count.bytes_in,
            bytes_out: count.bytes_out,
            reasons: count.reasons.clone(),
        })
        .collect()
}

pub(super) fn made(parts: BTreeMap<String, Content>, summary: &Summary, names: &[Option<String>]) -> Made {
    let first = summary.bad.iter().take(100).map(ToString::to_string).collect();
    Made {
        parts,
        funnels: funnels(summary, names),
        bad_records: BadRecords { count: summary.bad_records, first },
        metrics: BTreeMap::new(),
    }
}
