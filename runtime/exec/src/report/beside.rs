//! What steps report beside their documents: groups of duplicates and overlaps with evaluation sets.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::ledger::Done;

/// Groups and overlaps that are listed one by one.
const LISTED: usize = 20;
/// Sizes of groups that are told apart; larger ones are counted together.
const SIZES: u64 = 12;

/// Groups of duplicates that one step found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Duplicates {
    /// The step.
    pub step: String,
    /// Groups with more than one document.
    pub groups: u64,
    /// Documents in them that did not stay.
    pub dropped: u64,
    /// Size of a group, as words, and how many groups have it.
    pub sizes: Vec<(String, u64)>,
    /// The largest groups.
    pub largest: Vec<Group>,
}

/// One group of duplicates.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Group {
    /// Documents in it.
    pub documents: u64,
    /// Id of the one that stays.
    pub kept: String,
    /// Ids of the others, or the first of them.
    pub others: Vec<String>,
}

/// Overlaps with evaluation sets that one step found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Contamination {
    /// The step.
    pub step: String,
    /// Overlaps.
    pub hits: u64,
    /// By evaluation set: documents with an overlap, and examples that were met.
    pub sets: Vec<(String, u64, u64)>,
    /// The first overlaps.
    pub first: Vec<Hit>,
}

/// One overlap.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hit {
    /// The document.
    pub document: String,
    /// The evaluation set.
    pub set: String,
    /// The example.
    #[serde(default)]
    pub example: String,
    /// The words that both have, or their beginning.
    #[serde(default)]
    pub overlap: String,
    /// How many words.
    #[serde(default)]
    pub size: u64,
    /// Whether the document was dropped for it.
    #[serde(default)]
    pub dropped: bool,
}

/// Calls `see` with every line of a side report, in order; nothing where there is none. Lines of another form are skipped.
fn lines<T: for<'a> Deserialize<'a>>(
    done: &Done<'_>,
    name: &str,
    mut see: impl FnMut(T),
) -> Result<bool, Failure> {
    let Some(path) = done.finished.part("").map(|folder| folder.join(name)) else { return Ok(false) };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(Failure::io("open", &path, &e)),
    };
    for line in BufReader::new(file).split(b'\n') {
        let line = line.map_err(|e| Failure::io("read", &path, &e))?;
        if let Ok(one) = serde_json::from_slice(&line) {
            see(one);
        }
    }
    Ok(true)
}

/// Whether a task has a step with one of these ops; one that found nothing may have written nothing.
fn does(done: &Done<'_>, ops: &[&str]) -> bool {
    done.finished.manifest.definition.members.iter().any(|member| ops.contains(&member.op.as_str()))
}

/// The name of the step of a task that has this op, else of the task.
fn step(done: &Done<'_>, begins: &str) -> String {
    let members = &done.finished.manifest.definition.members;
    let found = members.iter().find(|member| member.op.starts_with(begins));
    found.map_or_else(|| done.task.name.clone(), |member| member.name.clone())
}

/// Groups of duplicates by step.
pub(super) fn duplicates(done: &[Done<'_>]) -> Result<Vec<Duplicates>, Failure> {
    let mut all = Vec::new();
    for one in done.iter().filter(|one| one.is_documents()) {
        let mut found = Duplicates { step: step(one, "dedup"), ..Duplicates::default() };
        let mut sizes: BTreeMap<u64, u64> = BTreeMap::new();
        let there = lines(one, "clusters.jsonl", |group: Group| {
            found.groups += 1;
            found.dropped += group.documents.saturating_sub(1);
            *sizes.entry(group.documents.min(SIZES + 1)).or_default() += 1;
            let smallest = found.largest.last().map_or(0, |group| group.documents);
            if found.largest.len() < LISTED || group.documents > smallest {
                found.largest.push(group);
                found.largest.sort_by_key(|group| std::cmp::Reverse(group.documents));
                found.largest.truncate(LISTED);
            }
        })?;
        let words =
            |size: u64| if size > SIZES { format!("more than {SIZES}") } else { format!("{size} documents") };
        found.sizes = sizes.into_iter().map(|(size, groups)| (words(size), groups)).collect();
        if there || does(one, &["dedup_exact", "dedup_minhash", "dedup_semantic", "dedup_url"]) {
            all.push(found);
        }
    }
    Ok(all)
}

/// Overlaps with evaluation sets by step.
pub(super) fn contamination(done: &[Done<'_>]) -> Result<Vec<Contamination>, Failure> {
    let mut all = Vec::new();
    for one in done.iter().filter(|one| one.is_documents()) {
        let mut found = Contamination { step: step(one, "decontaminate"), ..Contamination::default() };
        let mut sets: BTreeMap<String, (u64, String, BTreeSet<String>)> = BTreeMap::new();
        let there = lines(one, "hits.jsonl", |hit: Hit| {
            found.hits += 1;
            let (documents, last, examples) = sets.entry(hit.set.clone()).or_default();
            // Hits stand in document order, so a document's hits follow each other.
            if *last != hit.document {
                *documents += 1;
                last.clone_from(&hit.document);
            }
            examples.insert(hit.example.clone());
            if found.first.len() < LISTED {
                found.first.push(hit);
            }
        })?;
        let counts =
            sets.into_iter().map(|(set, (documents, _, examples))| (set, documents, examples.len() as u64));
        found.sets = counts.collect();
        found.sets.sort_by_key(|set| std::cmp::Reverse(set.1));
        if there || does(one, &["decontaminate"]) {
            all.push(found);
        }
    }
    Ok(all)
}

/// The document that a duplicate is a copy of, where a step says so.
pub(crate) fn copy_of(done: &Done<'_>, id: &str) -> Result<Option<String>, Failure> {
    let mut copy = None;
    lines(done, "clusters.jsonl", |group: Group| {
        if copy.is_none() && group.others.iter().any(|other| other == id) {
            copy = Some(group.kept);
        }
    })?;
    Ok(copy)
}

/// What a contaminated document overlaps with, where a step says so.
pub(crate) fn overlap_of(done: &Done<'_>, id: &str) -> Result<Option<String>, Failure> {
    let mut words = None;
    lines(done, "hits.jsonl", |hit: Hit| {
        if words.is_none() && hit.document == id {
            words = Some(format!("{} words in common with {}: {}", hit.size, hit.example, hit.overlap));
        }
    })?;
    Ok(words)
}
