//! Steps over documents: a reader, stored documents or a barrier, then the row-wise steps fused behind it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use llmp_data::engine::{self, BarrierStage, Input, Segment, Stage, Summary};
use llmp_data::steps::{self, Built, Map};
use llmp_data::{Progress, readers};
use llmp_stdlib::event::Funnel;
use llmp_stdlib::{Event, Step, Value};

use super::{Made, Work, data_failure};
use crate::failure::Failure;
use crate::store::{BadRecords, Content};
use crate::task::CONCAT;

/// Runs a task of documents.
pub(super) fn documents(work: &Work<'_>) -> Result<Made, Failure> {
    let roots = &work.options.roots;
    let built = |step: &Step| steps::build(&step.op, &step.args, roots).map_err(|e| data_failure(e).at(&step.id));
    let (first, rest) = work.task.steps.split_first().ok_or_else(|| Failure::new("LLMP1301", "an empty task"))?;
    let mut names = Vec::new();
    let mut maps = Vec::new();
    let mut barrier = None;
    let input = if first.inputs.is_empty() {
        let reader = readers::build(&first.op, &first.args).map_err(data_failure)?;
        let files = roots.files(reader.glob()).map_err(data_failure)?;
        names.push(Some(work.plan.name(&first.id)));
        Input::Source(vec![(reader, files)])
    } else {
        names.push(None);
        if first.op != CONCAT {
            match built(first)? {
                Built::Map(map) => maps.push(stage(first, map, work)),
                Built::Barrier(step) => barrier = Some(BarrierStage { barrier: step, rejects: rejects(first, work) }),
                Built::Split(training, heldout) => return split(work, training, heldout),
            }
            names.push(Some(work.plan.name(&first.id)));
        }
        Input::Stored((0..first.inputs.len()).map(|n| work.stored(first, n)).collect::<Result<_, _>>()?)
    };
    for step in rest {
        match built(step)? {
            Built::Map(map) => maps.push(stage(step, map, work)),
            Built::Barrier(_) | Built::Split(..) => {
                return Err(Failure::new("LLMP1301", format!("`{}` cannot run fused", step.op)).at(&step.id));
            }
        }
        names.push(Some(work.plan.name(&step.id)));
    }
    let segment = Segment { input, barrier, maps, out: work.folder.join("documents") };
    let summary = run(work, &segment, &names)?;
    Ok(made(BTreeMap::from([(String::new(), content(&summary, "documents"))]), &summary, &names))
}

/// Both halves of a split: the training half is the main part.
fn split(work: &Work<'_>, training: Arc<dyn Map>, heldout: Arc<dyn Map>) -> Result<Made, Failure> {
    let step = work.step();
    let input = work.stored(step, 0)?;
    let names = [None, Some(work.plan.name(&step.id))];
    let half = |map: Arc<dyn Map>, out: &str| Segment {
        input: Input::Stored(vec![input.clone()]),
        barrier: None,
        maps: vec![Stage { map, rejects: None }],
        out: work.folder.join(out),
    };
    let kept = run(work, &half(training, "documents"), &names)?;
    let held = engine::run(&half(heldout, "heldout"), &work.context(&|_| {})).map_err(data_failure)?;
    let parts = BTreeMap::from([
        (String::new(), content(&kept, "documents")),
        ("heldout".to_owned(), content(&held, "heldout")),
    ]);
    Ok(made(parts, &kept, &names))
}

fn stage(step: &Step, map: Arc<dyn Map>, work: &Work<'_>) -> Stage {
    Stage { map, rejects: rejects(step, work) }
}

/// `rejects = "folder"` of a step.
fn rejects(step: &Step, work: &Work<'_>) -> Option<std::path::PathBuf> {
    match step.args.get("rejects") {
        Some(Value::Text(written)) => Some(work.options.roots.path(written)),
        _ => None,
    }
}

fn run(work: &Work<'_>, segment: &Segment, names: &[Option<String>]) -> Result<Summary, Failure> {
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
    for bad in &summary.bad {
        (work.emit)(Event::BadRecord {
            step: work.name(),
            file: bad.file.clone(),
            place: bad.at.to_string(),
            what: bad.what.clone(),
        });
    }
    for funnel in funnels(&summary, names) {
        (work.emit)(Event::Funnel { funnel });
    }
    Ok(summary)
}

fn content(summary: &Summary, path: &str) -> Content {
    let counts = [("documents".to_owned(), summary.documents), ("bytes".to_owned(), summary.bytes)].into();
    Content { hash: summary.hash.clone(), path: path.to_owned(), counts }
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

fn made(parts: BTreeMap<String, Content>, summary: &Summary, names: &[Option<String>]) -> Made {
    let first = summary.bad.iter().take(100).map(ToString::to_string).collect();
    Made {
        parts,
        funnels: funnels(summary, names),
        bad_records: BadRecords { count: summary.bad_records, first },
        metrics: BTreeMap::new(),
    }
}
