//! `llmp trace`: the way of one document, or of all documents of a file, through the results of a program.

use std::collections::{BTreeMap, BTreeSet};

use llmp_data::ledger::{self, Lost};
use llmp_data::tokens::{TokenShard, id_hash};
use llmp_data::{Cell, Document};
use llmp_stdlib::number::to_f64;
use llmp_stdlib::{Plan, Port, Registry, Step, StepId, Value};
use serde::Serialize;

use crate::failure::Failure;
use crate::ledger::{Done, last, origins};
use crate::operations::data_failure;
use crate::report::{beside, name_of};
use crate::run::Options;

/// Documents of a file that are shown one by one.
pub const SHOWN: usize = 20;
/// Documents that are looked for at most.
const MOST: usize = 1_000_000;

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Query {
    /// One document by its id: `books/alice.txt#0`.
    Id(String),
    /// Documents by their address.
    Url(String),
    /// All documents of a file, by its label in ids.
    File(String),
}

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct Trace {
    /// What was looked for.
    pub query: Query,
    /// How many documents there are.
    pub documents: u64,
    /// How many of them came to each end: `clean.gopher_quality: gopher_short_doc`, or the data that they are in.
    pub ends: BTreeMap<String, u64>,
    /// The first of them, by id.
    pub shown: Vec<Traced>,
    /// A result is that of an earlier run.
    pub stale: bool,
}

/// The way of one document.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Traced {
    /// Its id.
    pub id: String,
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The source that it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Steps that it passed, in order.
    pub passed: Vec<String>,
    /// Where it was dropped, in each branch of the program.
    pub dropped: Vec<Dropped>,
    /// Where it is stored now, at the end of each branch.
    pub kept: Vec<Kept>,
    /// Stages that trained on it.
    pub trained: Vec<Trained>,
}

/// Where a document was dropped, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Dropped {
    /// The step.
    pub step: String,
    /// The reason, as the funnel counts it.
    pub reason: String,
    /// What decided: `words 12 < 50`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// A result that holds a document.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Kept {
    /// The data: the name of an item or step, and the part of a split.
    pub name: String,
    /// File of the store.
    pub file: String,
    /// Line in that file, after decompression, from 1.
    pub line: u64,
    /// Bytes of its text there.
    pub bytes: u64,
    /// Its columns there.
    pub columns: BTreeMap<String, Cell>,
}

/// A stage that trained on a document.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trained {
    /// The stage.
    pub stage: String,
    /// The part of its data.
    pub part: String,
    /// Share of that part in the stage's tokens.
    pub share: f64,
    /// Tokens of the document.
    pub tokens: u64,
    /// Passes over the part: the document was drawn this often, rounded down or up.
    pub passes: f64,
}

/// Looks for a document in the results of a program.
///
/// Errors: nothing has run yet, nothing fits, a store that cannot be read.
pub fn trace(plan: &Plan, registry: &Registry, options: &Options<'_>, text: &str) -> Result<Trace, Failure> {
    let done = last(plan, registry, options)?;
    if !done.iter().any(Done::is_documents) {
        let words = "this program has no documents in the store";
        return Err(Failure::new("LLMP1301", words).help("run it first: `llmp run FILE`"));
    }
    let query = query(plan, options, text);
    let mut search = Search { plan, options, query, found: BTreeMap::new(), parts: BTreeMap::new() };
    for one in &done {
        search.look(one)?;
    }
    search.ends(&done);
    search.train(&done)?;
    let stale = done.iter().any(|one| one.stale);
    search.answer(text, stale)
}

/// What a text means: an address, a file of the disk or of a source, or an id.
fn query(plan: &Plan, options: &Options<'_>, text: &str) -> Query {
    if text.contains("://") {
        return Query::Url(text.to_owned());
    }
    let path = std::fs::canonicalize(text).ok().filter(|path| path.is_file());
    for step in plan.steps.iter().filter(|step| step.inputs.is_empty()) {
        for (_, labels) in origins(plan, step, options) {
            let same = |label: &&String| {
                *label == text
                    || path.is_some() && std::fs::canonicalize(options.roots.path(label)).ok() == path
            };
            if let Some(label) = labels.iter().find(same) {
                return Query::File(label.clone());
            }
        }
    }
    Query::Id(text.to_owned())
}

struct Search<'a> {
    plan: &'a Plan,
    options: &'a Options<'a>,
    query: Query,
    found: BTreeMap<String, Traced>,
    /// Ids that a result holds, by step and part.
    parts: BTreeMap<(StepId, String), BTreeMap<String, Kept>>,
}

impl Search<'_> {
    fn needle(&self) -> String {
        match &self.query {
            Query::Id(id) => format!("\"id\":\"{}\"", ledger::stored(id)),
            Query::File(label) => format!("\"id\":\"{}#", ledger::stored(label)),
            Query::Url(url) => format!("\"{}\"", ledger::stored(url)),
        }
    }

    fn wants(&self, id: &str, url: Option<&str>) -> bool {
        match &self.query {
            Query::Id(wanted) => id == wanted,
            Query::File(label) => id.rsplit_once('#').is_some_and(|(own, _)| own == label),
            Query::Url(wanted) => url == Some(wanted.as_str()),
        }
    }

    /// Documents of one task: those that it lost, and those that it stores.
    fn look(&mut self, done: &Done<'_>) -> Result<(), Failure> {
        if !done.is_documents() {
            return Ok(());
        }
        let needle = self.needle();
        let Some(folder) = done.finished.part("") else { return Ok(()) };
        let names: Vec<String> = done.task.steps.iter().map(|step| self.plan.name(&step.id)).collect();
        let mut lost: Vec<Lost> = Vec::new();
        ledger::lost(&folder, &needle, |one| {
            if self.wants(&one.id, one.url.as_deref()) {
                lost.push(one);
            }
            lost.len() < MOST
        })
        .map_err(data_failure)?;
        for one in lost {
            let at = (0..names.len()).find(|&k| done.flow(k) == one.step).unwrap_or(0);
            let by = match one.by {
                Some(by) => Some(by.to_string()),
                None => match beside::copy_of(done, &one.id)? {
                    Some(kept) => Some(format!("a copy of {kept}")),
                    None => beside::overlap_of(done, &one.id)?,
                },
            };
            let traced = self.traced(&one.id);
            pass(&mut traced.passed, &names[..at]);
            let step = names.get(at).cloned().unwrap_or_default();
            traced.dropped.push(Dropped { step, reason: one.reason, by });
            traced.url = traced.url.take().or(one.url);
        }
        for part in done.finished.manifest.parts.keys() {
            let Some(folder) = done.finished.part(part) else { continue };
            let wanted = |doc: &Document| self.wants(&doc.id, url(doc));
            for place in ledger::find(&folder, &needle, MOST, wanted).map_err(data_failure)? {
                let doc = place.document;
                let traced = self.traced(&doc.id);
                pass(&mut traced.passed, &names);
                traced.url = traced.url.take().or_else(|| url(&doc).map(str::to_owned));
                let file = place.part.strip_prefix(&self.options.project).unwrap_or(&place.part);
                let kept = Kept {
                    name: String::new(),
                    file: file.display().to_string(),
                    line: place.line,
                    bytes: doc.bytes(),
                    columns: doc.columns,
                };
                let key = (done.task.last().id.clone(), part.clone());
                self.parts.entry(key).or_default().insert(doc.id, kept);
            }
        }
        Ok(())
    }

    fn traced(&mut self, id: &str) -> &mut Traced {
        self.found.entry(id.to_owned()).or_insert_with(|| Traced { id: id.to_owned(), ..Traced::default() })
    }

    /// A result that another step over documents reads is not an end.
    fn ends(&mut self, done: &[Done<'_>]) {
        let read: BTreeSet<(&StepId, &str)> = done
            .iter()
            .filter(|one| one.is_documents())
            .flat_map(|one| one.task.inputs())
            .map(|port| (&port.step, port.part.as_deref().unwrap_or("")))
            .collect();
        for ((step, part), ids) in &self.parts {
            if read.contains(&(step, part.as_str())) {
                continue;
            }
            let port = Port { step: step.clone(), part: (!part.is_empty()).then(|| part.clone()) };
            let name = name_of(self.plan, &port);
            for (id, kept) in ids {
                let Some(traced) = self.found.get_mut(id) else { continue };
                traced.kept.push(Kept { name: name.clone(), ..kept.clone() });
            }
        }
    }

    /// Stages that read the tokens of what was found.
    fn train(&mut self, done: &[Done<'_>]) -> Result<(), Failure> {
        for one in done.iter().filter(|one| matches!(one.task.last().op.as_str(), "pretrain" | "distill")) {
            for portion in portions(one) {
                let Some(shard) = done.iter().find(|d| d.task.last().id == portion.tokens.id(one)) else {
                    continue;
                };
                let Some(port) = shard.task.last().inputs.first() else { continue };
                let key = (port.step.clone(), port.part.clone().unwrap_or_default());
                let Some(ids) = self.parts.get(&key).filter(|ids| !ids.is_empty()) else { continue };
                let Some(folder) = shard.finished.part("") else { continue };
                let tokens = TokenShard::open(&folder).map_err(data_failure)?;
                let wanted: BTreeMap<u64, &String> = ids.keys().map(|id| (id_hash(id), id)).collect();
                for (index, hash) in tokens.ids().iter().enumerate() {
                    let Some(id) = wanted.get(hash) else { continue };
                    let Some(traced) = self.found.get_mut(*id) else { continue };
                    let (from, to) = tokens.range(index);
                    traced.trained.push(Trained {
                        stage: one.task.name.clone(),
                        part: name_of(self.plan, port),
                        share: portion.share,
                        tokens: to - from,
                        passes: portion.passes,
                    });
                }
            }
        }
        Ok(())
    }

    fn answer(mut self, text: &str, stale: bool) -> Result<Trace, Failure> {
        if self.found.is_empty() {
            return Err(nothing(&self.query, text));
        }
        let sources = self.plan.steps.iter().filter(|step| step.inputs.is_empty());
        let sources: Vec<_> = sources.flat_map(|s| origins(self.plan, s, self.options)).collect();
        let origins = ledger::Origins::new(sources);
        let mut ends = BTreeMap::new();
        for traced in self.found.values_mut() {
            traced.source = origins.of(&traced.id).map(|n| origins.name(Some(n)).to_owned());
            let kept = traced.kept.iter().map(|kept| format!("in {}", kept.name));
            let dropped = traced.dropped.iter().map(|d| format!("{}: {}", d.step, d.reason));
            for end in kept.chain(dropped) {
                *ends.entry(end).or_default() += 1;
            }
        }
        let documents = self.found.len() as u64;
        let shown = self.found.into_values().take(SHOWN).collect();
        Ok(Trace { query: self.query, documents, ends, shown, stale })
    }
}

fn url(doc: &Document) -> Option<&str> {
    match doc.columns.get("url") {
        Some(Cell::Text(url)) => Some(url),
        _ => None,
    }
}

fn pass(passed: &mut Vec<String>, names: &[String]) {
    for name in names {
        if !passed.contains(name) {
            passed.push(name.clone());
        }
    }
}

/// One part of what a stage trained on.
#[derive(Debug, Clone)]
pub(crate) struct Portion {
    /// Its token shard.
    pub(crate) tokens: Input,
    /// Share of the tokens, as planned.
    pub(crate) share: f64,
    /// Tokens drawn from it.
    pub(crate) drawn: u64,
    /// Passes over it.
    pub(crate) passes: f64,
}

/// Number of an input of a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input(usize);

impl Input {
    /// The step that gives it.
    pub(crate) fn id(self, done: &Done<'_>) -> StepId {
        done.task.last().inputs.get(self.0).map_or_else(|| StepId(String::new()), |port| port.step.clone())
    }
}

/// The parts of a stage with what was drawn from each.
pub(crate) fn portions(done: &Done<'_>) -> Vec<Portion> {
    let stage =
        done.finished.part("").and_then(|folder| std::fs::read_to_string(folder.join("stage.json")).ok());
    let stage: serde_json::Value =
        stage.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let number = |list: &str, k: usize| stage[list][k].as_f64().unwrap_or(0.0);
    let parts = parts(done.task.last());
    let one = |(k, (input, share)): (usize, (usize, f64))| Portion {
        tokens: Input(input),
        share,
        drawn: number("drawn", k) as u64,
        passes: number("epochs", k),
    };
    parts.into_iter().enumerate().map(one).collect()
}

/// Inputs and shares of the parts of a stage.
fn parts(step: &Step) -> Vec<(usize, f64)> {
    let Some(Value::List(parts)) = step.args.get("parts") else { return Vec::new() };
    let part = |value: &Value| {
        let Value::Record(record) = value else { return None };
        let Some(Value::Input(input)) = record.get("tokens") else { return None };
        let Some(Value::Number(share)) = record.get("share") else { return None };
        Some((*input, to_f64(share.amount)))
    };
    parts.iter().filter_map(part).collect()
}

/// Nothing was found: what could be meant, and what to do.
fn nothing(query: &Query, text: &str) -> Failure {
    let (words, help) = match query {
        Query::Url(url) => (
            format!("no document has the address {url}"),
            "addresses are compared as they stand in the column `url`, letter by letter".to_owned(),
        ),
        Query::File(label) => (
            format!("no document of {label} is in a ledger or a result"),
            "its results may come from an older version of llmp: remove them from the store and run again"
                .to_owned(),
        ),
        Query::Id(_) => (
            format!("no document has the id `{text}`, and no source reads a file of that name"),
            "an id is the label of a file and the number of the record: `books/alice.txt#0`; \
             `llmp report` shows ids of every reason"
                .to_owned(),
        ),
    };
    Failure::new("LLMP1306", words).help(help)
}
