//! `llmp data diff`: which documents one result has and another has not, and why each lost what it lost.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use llmp_data::ledger::{self, identities, ids};
use llmp_data::tokens::id_hash;
use llmp_stdlib::{Plan, Port, Registry};
use serde::Serialize;

use crate::failure::Failure;
use crate::operations::data_failure;
use crate::run::Options;
use crate::store::{Journal, Manifest, Store};
use crate::task::tasks;

/// Documents whose identities are held in memory at a time, of each side (16 bytes each).
const AT_ONCE: u64 = 32 << 20;
/// Examples of each reason.
const EXAMPLES: usize = 5;

/// One side: documents in a store.
#[derive(Debug, Clone)]
pub struct Side {
    /// What people call it.
    pub name: String,
    /// Folder of the result, with its manifest.
    pub result: PathBuf,
    /// Part of the result: `""` or `heldout`.
    pub part: String,
}

/// Two results compared.
#[derive(Debug, Clone, Serialize)]
pub struct Difference {
    /// Names of the two sides.
    pub sides: [String; 2],
    /// Documents of each.
    pub documents: [u64; 2],
    /// Documents that both have, with equal content.
    pub same: u64,
    /// Documents that both have, with other text or columns.
    pub changed: Change,
    /// Documents that only the first has, by where the second lost them.
    pub lost: Change,
    /// Documents that only the second has, by where the first lost them.
    pub gained: Change,
}

/// Documents of one sort.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Change {
    /// How many.
    pub documents: u64,
    /// By step and reason; the most frequent first.
    pub reasons: Vec<Because>,
    /// Some whose reason is not known.
    pub examples: Vec<String>,
}

/// Documents that one step dropped for one reason.
#[derive(Debug, Clone, Serialize)]
pub struct Because {
    /// The step, as it was called when it ran.
    pub step: String,
    /// The reason.
    pub reason: String,
    /// How many.
    pub documents: u64,
    /// Some of them: id, and what decided.
    pub examples: Vec<Example>,
}

/// One document with what decided.
#[derive(Debug, Clone, Serialize)]
pub struct Example {
    /// Its id.
    pub id: String,
    /// `words 12 < 50`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

impl Difference {
    /// Whether both hold the same documents.
    pub fn is_empty(&self) -> bool {
        self.changed.documents + self.lost.documents + self.gained.documents == 0
    }
}

/// The documents at a path: a folder of a result, one inside it, or a link to it.
///
/// Errors: there is no result.
pub fn at_path(path: &Path) -> Result<Side, Failure> {
    let real = std::fs::canonicalize(path).map_err(|e| Failure::io("open", path, &e))?;
    let holds = |folder: &&Path| folder.join(Manifest::FILE).is_file();
    let Some(result) = real.ancestors().find(holds) else {
        let words = format!("{} is no result of a run: there is no {} in it", path.display(), Manifest::FILE);
        return Err(Failure::new("LLMP1306", words)
            .help("give a link such as `runs/main/clean`, a folder of the store, or an item of a program"));
    };
    let inside = real.strip_prefix(result).map(|p| p.to_string_lossy().into_owned()).unwrap_or_default();
    let part = if inside == "documents" { String::new() } else { inside };
    Ok(Side { name: path.display().to_string(), result: result.to_owned(), part })
}

/// The result of an item as it last ran, or, with `before`, the one before that.
///
/// Errors: no such item, it has not run, there was no other result before.
pub fn of_item(
    plan: &Plan,
    registry: &Registry,
    options: &Options<'_>,
    item: &str,
    before: bool,
) -> Result<Side, Failure> {
    let (name, part) = match item.rsplit_once('.') {
        Some((name, part)) if !plan.items.contains_key(item) && plan.items.contains_key(name) => (name, part),
        _ => (item, ""),
    };
    let port = plan
        .items
        .get(name)
        .cloned()
        .or_else(|| plan.named(name).map(|step| Port { step: step.id.clone(), part: None }));
    let Some(port) = port else {
        let near = llmp_grammar::nearest(item, plan.items.keys().map(String::as_str));
        let help = near.map_or_else(
            || "`llmp plan` lists the items".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        return Err(Failure::new("LLMP1306", format!("no item is called `{item}`")).help(help));
    };
    let part = port.part.clone().unwrap_or_else(|| part.to_owned());
    let store = Store::at(&options.project);
    let all = tasks(plan, registry);
    let Some(task) = all.iter().find(|task| task.last().id == port.step) else {
        let words = format!("`{item}` is not stored by itself: it runs fused with the steps behind it");
        return Err(Failure::new("LLMP1306", words).help("compare the data behind it"));
    };
    let journal = Journal::open(&store, &options.program);
    let last = journal.get(&task.name);
    let key =
        if before { last.and_then(|last| last.before.clone()) } else { last.map(|last| last.key.clone()) };
    let Some(key) = key else {
        let (words, help) = match (before, last.is_some()) {
            (true, true) => ("has had only one result", "change the program and run it again"),
            _ => ("has not run yet", "run the program: `llmp run FILE`"),
        };
        return Err(Failure::new("LLMP1306", format!("`{item}` {words}")).help(help));
    };
    let Some(finished) = store.finished(&key)? else {
        let words = format!("the result of `{item}` is not in the store any more");
        return Err(Failure::new("LLMP1306", words).help("run the program again"));
    };
    Ok(Side { name: item.to_owned(), result: finished.folder, part })
}

/// All documents that the programs of two stores have last given under equal names, pair by pair; and the names that
/// only one of them has.
pub fn stores(before: &Path, after: &Path) -> Result<(Vec<[Side; 2]>, Vec<String>), Failure> {
    let (a, b) = (remembered(before)?, remembered(after)?);
    let mut pairs = Vec::new();
    let mut alone = Vec::new();
    for (name, result) in &a {
        match b.get(name) {
            Some(other) => pairs.push([result.clone(), other.clone()]),
            None => alone.push(format!("only {} has {name}", before.display())),
        }
    }
    alone.extend(
        b.keys()
            .filter(|name| !a.contains_key(*name))
            .map(|name| format!("only {} has {name}", after.display())),
    );
    Ok((pairs, alone))
}

/// Results with documents in the store of a project, by program and step.
fn remembered(project: &Path) -> Result<BTreeMap<String, Side>, Failure> {
    let store = Store::at(project);
    let runs = store.root().join("runs");
    let mut found = BTreeMap::new();
    let entries = std::fs::read_dir(&runs).map_err(|e| Failure::io("list", &runs, &e))?;
    for entry in entries {
        let entry = entry.map_err(|e| Failure::io("list", &runs, &e))?;
        let program = entry.file_name().to_string_lossy().into_owned();
        for (step, last) in Journal::open(&store, &program).all() {
            let Some(finished) = store.finished(&last.key)? else { continue };
            for (part, content) in &finished.manifest.parts {
                if content.path != "documents" && part != "heldout" {
                    continue;
                }
                let dot = if part.is_empty() { "" } else { "." };
                let name = format!("{program}:{step}{dot}{part}");
                let side = Side { name: name.clone(), result: finished.folder.clone(), part: part.clone() };
                found.insert(name, side);
            }
        }
    }
    Ok(found)
}

/// Compares the documents of two results. Reads each side once for every 32 million documents.
///
/// Errors: a side that holds no documents, a store that cannot be read.
pub fn difference(before: &Side, after: &Side) -> Result<Difference, Failure> {
    let (a, b) = (before.documents()?, after.documents()?);
    let documents = [a.1, b.1];
    let passes = documents[0].max(documents[1]).div_ceil(AT_ONCE).max(1);
    let mut same = 0;
    let (mut lost, mut gained, mut changed) = (Vec::new(), Vec::new(), Vec::new());
    for pass in 0..passes {
        let left = identities(&a.0, pass, passes).map_err(data_failure)?;
        let right = identities(&b.0, pass, passes).map_err(data_failure)?;
        let (mut l, mut r) = (left.iter().peekable(), right.iter().peekable());
        loop {
            match (l.peek(), r.peek()) {
                (Some(x), Some(y)) if x.0 == y.0 => {
                    if x.1 == y.1 {
                        same += 1
                    } else {
                        changed.push(x.0)
                    }
                    l.next();
                    r.next();
                }
                (Some(x), y) if y.is_none_or(|y| x.0 < y.0) => {
                    lost.push(x.0);
                    l.next();
                }
                (_, Some(y)) => {
                    gained.push(y.0);
                    r.next();
                }
                (_, None) => break,
            }
        }
    }
    let examples = |wanted: &[u64], folder: &Path| -> Result<Vec<String>, Failure> {
        let mut some: Vec<u64> = wanted.iter().copied().take(EXAMPLES).collect();
        some.sort_unstable();
        ids(folder, &some).map_err(data_failure)
    };
    let changed =
        Change { documents: changed.len() as u64, reasons: Vec::new(), examples: examples(&changed, &a.0)? };
    let explain = |hashes: Vec<u64>, by: &Side, folder: &Path| -> Result<Change, Failure> {
        let (reasons, unknown) = by.reasons(hashes.clone())?;
        Ok(Change { documents: hashes.len() as u64, reasons, examples: examples(&unknown, folder)? })
    };
    Ok(Difference {
        sides: [before.name.clone(), after.name.clone()],
        documents,
        same,
        changed,
        lost: explain(lost, after, &a.0)?,
        gained: explain(gained, before, &b.0)?,
    })
}

impl Side {
    /// The folder of its documents, and how many there are.
    fn documents(&self) -> Result<(PathBuf, u64), Failure> {
        let manifest = self.manifest()?;
        let part = manifest.parts.get(&self.part);
        let part =
            part.filter(|part| part.counts.contains_key("documents") && !part.counts.contains_key("tokens"));
        let Some(part) = part else {
            let words = format!("`{}` holds no documents", self.name);
            return Err(Failure::new("LLMP1306", words)
                .help("compare sources or datasets; models and token shards have no documents"));
        };
        Ok((self.result.join(&part.path), part.counts.get("documents").copied().unwrap_or(0)))
    }

    fn manifest(&self) -> Result<Manifest, Failure> {
        Manifest::open(&self.result)?.ok_or_else(|| {
            let words = format!("`{}` is not in the store any more", self.name);
            Failure::new("LLMP1306", words).help("run the program that made it again")
        })
    }

    /// Where this side lost the documents with these hashes: itself, or a result that it was made from. And those that
    /// no ledger knows.
    fn reasons(&self, hashes: Vec<u64>) -> Result<(Vec<Because>, Vec<u64>), Failure> {
        let mut why = Why::new(hashes);
        if why.open() == 0 {
            return Ok((Vec::new(), Vec::new()));
        }
        for (folder, manifest) in self.chain()? {
            let documents = folder.join("documents");
            let members = &manifest.definition.members;
            let steps = ledger::summary(&documents).map_err(data_failure)?.map_or(0, |l| l.losses.len());
            let shift = steps.saturating_sub(members.len());
            ledger::lost(&documents, "", |lost| {
                let member = lost.step.checked_sub(shift).and_then(|k| members.get(k));
                let step = member.map_or("store", |member| member.name.as_str());
                why.tell(lost.id, step, &lost.reason, lost.by.map(|by| by.to_string()));
                why.open() > 0
            })
            .map_err(data_failure)?;
            // What a split set aside lies in another part of its result.
            let step = members.last().map_or("", |member| member.name.as_str());
            for (part, content) in &manifest.parts {
                let other = if folder == self.result { *part != self.part } else { !part.is_empty() };
                if other && why.open() > 0 && content.counts.contains_key("documents") {
                    let reason =
                        if part.is_empty() { "kept for training".to_owned() } else { format!("in {part}") };
                    for id in ids(&folder.join(&content.path), &why.hashes).map_err(data_failure)? {
                        why.tell(id, step, &reason, None);
                    }
                }
            }
        }
        Ok(why.answer())
    }

    /// This result and the results that it was made from, found in its store by their content.
    fn chain(&self) -> Result<Vec<(PathBuf, Manifest)>, Failure> {
        let mut by_content: BTreeMap<String, Vec<(PathBuf, Manifest)>> = BTreeMap::new();
        let store = self.result.parent().unwrap_or(Path::new("."));
        let entries = std::fs::read_dir(store).map_err(|e| Failure::io("list", store, &e))?;
        for entry in entries {
            let folder = entry.map_err(|e| Failure::io("list", store, &e))?.path();
            if folder.extension().is_some() || !folder.is_dir() {
                continue;
            }
            let Some(manifest) = Manifest::open(&folder)? else { continue };
            for part in manifest.parts.values() {
                by_content.entry(part.hash.clone()).or_default().push((folder.clone(), manifest.clone()));
            }
        }
        let mut chain: Vec<(PathBuf, Manifest)> = vec![(self.result.clone(), self.manifest()?)];
        let mut at = 0;
        while let Some((_, manifest)) = chain.get(at).cloned() {
            at += 1;
            for input in &manifest.definition.inputs {
                let mut made = by_content.get(&input.content).cloned().unwrap_or_default();
                made.retain(|(folder, _)| chain.iter().all(|(known, _)| known != folder));
                made.sort_by(|a, b| a.0.cmp(&b.0));
                chain.extend(made);
            }
        }
        Ok(chain)
    }
}

/// Documents whose reasons are looked for.
struct Why {
    /// Hashes of their ids, sorted.
    hashes: Vec<u64>,
    seen: Vec<bool>,
    left: usize,
    reasons: BTreeMap<(String, String), Because>,
}

impl Why {
    fn new(mut hashes: Vec<u64>) -> Why {
        hashes.sort_unstable();
        Why { seen: vec![false; hashes.len()], left: hashes.len(), hashes, reasons: BTreeMap::new() }
    }

    /// How many have no reason yet.
    fn open(&self) -> usize {
        self.left
    }

    /// A reason for a document, which counts if it is looked for and has none yet.
    fn tell(&mut self, id: String, step: &str, reason: &str, by: Option<String>) {
        let Ok(at) = self.hashes.binary_search(&id_hash(&id)) else { return };
        if std::mem::replace(&mut self.seen[at], true) {
            return;
        }
        self.left -= 1;
        let because = self.reasons.entry((step.to_owned(), reason.to_owned())).or_insert_with(|| Because {
            step: step.to_owned(),
            reason: reason.to_owned(),
            documents: 0,
            examples: Vec::new(),
        });
        because.documents += 1;
        if because.examples.len() < EXAMPLES {
            because.examples.push(Example { id, by });
        }
    }

    fn answer(self) -> (Vec<Because>, Vec<u64>) {
        let mut reasons: Vec<Because> = self.reasons.into_values().collect();
        reasons.sort_by_key(|because| std::cmp::Reverse(because.documents));
        let unknown = self.hashes.iter().zip(&self.seen).filter(|(_, seen)| !**seen).map(|(hash, _)| *hash);
        (reasons, unknown.collect())
    }
}
