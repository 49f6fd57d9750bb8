//! What a plan reads from outside: files of sources, tokenizers and models, and whether the lock knows them.

use llmp_grammar::{Diag, Span};
use llmp_stdlib::hub::Named;
use llmp_stdlib::{Locked, Plan, Registry, StepId, Value};

use crate::codes::{DiffersFromLock, NoLock, NotLocked};

/// One path that a step reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct External {
    /// The step.
    pub step: StepId,
    /// Its built-in: `jsonl`, `tokenizer_file`.
    pub reader: String,
    /// The path or glob as written; the key of a repository ([`Named::key`]).
    pub path: String,
    /// The field that holds the text, where the reader has one.
    pub text: Option<String>,
    /// Whether the data are documents.
    pub data: bool,
    /// Whether people provide the file later (`awaits = true`).
    pub awaits: bool,
}

/// The external inputs of a plan, in the order of its steps; each reader's path once.
pub fn externals(plan: &Plan, registry: &Registry) -> Vec<External> {
    let mut found: Vec<External> = Vec::new();
    for step in &plan.steps {
        let signature = registry.meant(&step.op, &step.args);
        let hub = Named::of(&step.op, &step.args).map(|named| named.key());
        let hub = hub.map(|key| (step.op.clone(), key));
        for (reader, path) in hub.into_iter().chain(registry.paths(&step.op, &step.args)) {
            if found.iter().any(|e| e.reader == reader && e.path == path) {
                continue;
            }
            let text = match step.args.get("text") {
                Some(Value::Text(text)) => Some(text.clone()),
                _ => None,
            };
            found.push(External {
                step: step.id.clone(),
                reader,
                path,
                text,
                data: signature.and_then(|s| s.flow).is_some_and(|flow| flow.is_source()),
                awaits: step.args.get("awaits") == Some(&Value::Bool(true)),
            });
        }
    }
    found
}

/// What `--frozen` refuses: no lock, an input that it does not know, or one that it knows as something else.
/// Only the program and the lock are looked at, never the data.
pub fn frozen(plan: &Plan, registry: &Registry, locked: &Locked) -> Vec<Diag> {
    let externals = externals(plan, registry);
    let place = |external: &External| plan.spans.get(&external.step).copied().unwrap_or_default();
    if locked.lock.is_none() {
        let Some(first) = externals.first() else { return Vec::new() };
        let why = locked.broken.clone().unwrap_or_else(|| "there is none".into());
        return vec![NoLock { why, at: place(first) }.into()];
    }
    externals.iter().filter_map(|external| one(external, locked, place(external))).collect()
}

fn one(external: &External, locked: &Locked, at: Span) -> Option<Diag> {
    let Some(input) = locked.input(&external.reader, &external.path) else {
        // What people provide later cannot be locked before it is there.
        let missing = NotLocked { path: external.path.clone(), reader: external.reader.clone(), at };
        return (!external.awaits).then(|| missing.into());
    };
    let (Some(text), Some(was)) = (&external.text, &input.text) else { return None };
    (text != was).then(|| {
        let path = external.path.clone();
        let (now, was) = (format!("`text = {text:?}`"), format!("`text = {was:?}`"));
        DiffersFromLock { path, now, was, at }.into()
    })
}
