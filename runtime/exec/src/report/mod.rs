//! `llmp report`: what became of a program's data, as plain facts and as one self-contained HTML page.

pub(crate) mod beside;
mod card;
mod curves;
mod page;
mod sets;

use std::collections::BTreeSet;

use llmp_data::ledger::{Ledger, Sample};
use llmp_interpreter::Program;
use llmp_stdlib::{Plan, Registry, StepId};
use serde::Serialize;

use crate::failure::Failure;
use crate::ledger::{self, Done, Row};
use crate::run::Options;

pub use beside::{Contamination, Duplicates, Group, Hit};
pub use card::{Estimated, Portion, Source, Stage};
pub use curves::Curves;
pub use page::html;
pub(crate) use sets::name as name_of;
pub use sets::{Chart, Histogram, Set, Texts};

/// Form of the facts, raised when a field changes its meaning.
const FORMAT: u32 = 1;

/// All that a report shows.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Form of this object.
    pub format: u32,
    /// Version of llmp.
    pub llmp: String,
    /// The program.
    pub program: String,
    /// The item that the report is about; `None`: the whole program.
    pub item: Option<String>,
    /// The plan hash.
    pub plan: String,
    /// Steps whose results are those of an earlier run.
    pub stale: Vec<String>,
    /// Steps over documents that have no result yet.
    pub missing: Vec<String>,
    /// Every source: what it states of itself, what was read, what is left.
    pub sources: Vec<Source>,
    /// Documents through every step.
    pub funnel: Vec<Row>,
    /// Why documents were dropped, the most frequent reason first.
    pub reasons: Vec<Reason>,
    /// Data at the end of each branch.
    pub sets: Vec<Set>,
    /// Amounts of the plan beside those of the run.
    pub estimates: Vec<Estimated>,
    /// Stages with the shares of their mixtures.
    pub stages: Vec<Stage>,
    /// Loss curves: of every comparison, and of every other stage.
    pub curves: Vec<Curves>,
    /// Groups of duplicates.
    pub clusters: Vec<Duplicates>,
    /// Overlaps with evaluation sets.
    pub hits: Vec<Contamination>,
    /// Records that could not be read.
    pub bad: Bad,
}

/// Why one step dropped documents.
#[derive(Debug, Clone, Serialize)]
pub struct Reason {
    /// The step.
    pub step: String,
    /// The reason.
    pub reason: String,
    /// Documents.
    pub documents: u64,
    /// Their bytes.
    pub bytes: f64,
    /// The scores that decided.
    pub scores: Vec<Deciding>,
    /// Some of the documents.
    pub samples: Vec<Sample>,
}

/// The scores that decided, beside their limit.
#[derive(Debug, Clone, Serialize)]
pub struct Deciding {
    /// What was measured.
    pub of: String,
    /// The side of the limit on which a document is dropped.
    pub is: String,
    /// The limit.
    pub limit: f64,
    /// The scores of the dropped documents.
    pub values: Histogram,
}

/// Records that could not be read.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Bad {
    /// How many.
    pub count: u64,
    /// The first of them: file, place, what.
    pub first: Vec<String>,
}

/// Collects the report of a program, or of one of its items.
///
/// Errors: an item that is not there, nothing has run yet, a store that cannot be read.
pub fn report(
    plan: &Plan,
    program: &Program,
    registry: &Registry,
    options: &Options<'_>,
    item: Option<&str>,
) -> Result<Report, Failure> {
    let above = item.map(|item| above(plan, item)).transpose()?;
    let mut done = ledger::last(plan, registry, options)?;
    if let Some(above) = &above {
        done.retain(|one| above.contains(&one.task.last().id));
    }
    if !done.iter().any(Done::is_documents) {
        return Err(Failure::new("LLMP1306", "there are no documents in the store to report on")
            .help("run the program first: `llmp run FILE`"));
    }
    let ledgers = done.iter().map(Done::ledger).collect::<Result<Vec<_>, Failure>>()?;
    let funnel = ledger::rows(plan, registry, &done)?;
    let sets = sets::sets(plan, &done, &ledgers);
    let names: BTreeSet<&str> = funnel.iter().map(|row| row.step.as_str()).collect();
    let wanted = |id: &StepId| above.as_ref().is_none_or(|above| above.contains(id));
    let is_documents = |op: &str, args| registry.meant(op, args).is_some_and(|s| s.flow.is_some());
    let missing = plan.steps.iter().filter(|step| wanted(&step.id) && is_documents(&step.op, &step.args));
    let missing = missing.map(|step| plan.name(&step.id)).filter(|name| !names.contains(name.as_str()));
    Ok(Report {
        format: FORMAT,
        llmp: env!("CARGO_PKG_VERSION").into(),
        program: options.program.clone(),
        item: item.map(str::to_owned),
        plan: plan.hash(),
        stale: done.iter().filter(|one| one.stale).map(|one| one.task.name.clone()).collect(),
        missing: missing.collect(),
        sources: card::sources(plan, options, &done, &funnel, &sets),
        reasons: reasons(plan, &done, &ledgers),
        estimates: card::estimates(plan, program, registry, &done, &sets, above.is_none()),
        stages: card::stages(plan, &done),
        curves: curves::curves(plan, &done),
        clusters: beside::duplicates(&done)?,
        hits: beside::contamination(&done)?,
        bad: bad(&done),
        funnel,
        sets,
    })
}

/// Tokens of every item by the plan, and by the run where they were counted.
///
/// Errors: a store that cannot be read.
pub fn estimates(
    plan: &Plan,
    program: &Program,
    registry: &Registry,
    done: &[Done<'_>],
) -> Result<Vec<Estimated>, Failure> {
    let ledgers = done.iter().map(Done::ledger).collect::<Result<Vec<_>, Failure>>()?;
    let sets = sets::sets(plan, done, &ledgers);
    Ok(card::estimates(plan, program, registry, done, &sets, true))
}

/// The steps that the result of an item is made by.
fn above(plan: &Plan, item: &str) -> Result<BTreeSet<StepId>, Failure> {
    let port = plan.items.get(item).map(|port| port.step.clone());
    let Some(step) = port.or_else(|| plan.named(item).map(|step| step.id.clone())) else {
        let near = llmp_grammar::nearest(item, plan.items.keys().map(String::as_str));
        let names: Vec<&str> = plan.items.keys().map(String::as_str).collect();
        let help = near
            .map_or_else(|| format!("there are: {}", names.join(", ")), |n| format!("did you mean `{n}`?"));
        return Err(Failure::new("LLMP1306", format!("no item is called `{item}`")).help(help));
    };
    let mut found = BTreeSet::new();
    let mut open = vec![step];
    while let Some(id) = open.pop() {
        if found.insert(id.clone()) {
            let inputs = plan.step(&id).map(|step| step.inputs.as_slice()).unwrap_or_default();
            open.extend(inputs.iter().map(|port| port.step.clone()));
        }
    }
    Ok(found)
}

fn reasons(plan: &Plan, done: &[Done<'_>], ledgers: &[Option<Ledger>]) -> Vec<Reason> {
    let mut reasons = Vec::new();
    for (one, ledger) in done.iter().zip(ledgers) {
        let losses = ledger.iter().flat_map(|ledger| ledger.losses.iter().enumerate());
        for (flow, losses) in losses {
            let step = one.step(flow).map_or_else(|| "store".to_owned(), |step| plan.name(&step.id));
            for (reason, loss) in losses {
                let deciding = |scores: &llmp_data::ledger::Scores| Deciding {
                    of: scores.of.clone(),
                    is: scores.is.sign().to_owned(),
                    limit: scores.limit,
                    values: Histogram::of(&scores.values),
                };
                reasons.push(Reason {
                    step: step.clone(),
                    reason: reason.clone(),
                    documents: loss.sizes.count,
                    bytes: loss.sizes.sum,
                    scores: loss.scores.iter().map(deciding).collect(),
                    samples: loss.samples.clone(),
                });
            }
        }
    }
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.documents));
    reasons
}

fn bad(done: &[Done<'_>]) -> Bad {
    let mut bad = Bad::default();
    for one in done {
        let own = &one.finished.manifest.bad_records;
        bad.count += own.count;
        bad.first.extend(own.first.iter().cloned());
    }
    bad.first.truncate(100);
    bad
}
