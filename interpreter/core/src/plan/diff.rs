//! What differs between two programs: by item and member, in sizes and costs, and which steps run again.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use llmp_stdlib::{Call, Plan, Record, Step, Value, number};
use serde::Serialize;

use crate::program::{Item, Program};

/// One value before and after; `None` where it was or is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Path of the value: `schedule.peak`, `tokens`, `|> gopher_quality.min_words`.
    pub path: String,
    /// As it was.
    pub before: Option<String>,
    /// As it is.
    pub after: Option<String>,
}

/// What happened to an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum ItemChange {
    /// It is new.
    Added { item: String, kind: String },
    /// It is gone.
    Removed { item: String, kind: String },
    /// It has another name and the same meaning.
    Renamed { item: String, kind: String, to: String },
    /// Some of its values differ.
    Changed { item: String, kind: String, values: Vec<Change> },
}

/// A step that is not in the store after the change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepChange {
    /// What people call it.
    pub step: String,
    /// Its built-in.
    pub op: String,
    /// Why it runs: `new`, its own values, or the steps that it reads.
    pub because: Vec<String>,
}

/// The difference of two programs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// Plan hash before.
    pub before: String,
    /// Plan hash after.
    pub after: String,
    /// Params, in order of their names.
    pub params: Vec<Change>,
    /// Items: those that are there now in their order, then those that are gone.
    pub items: Vec<ItemChange>,
    /// Sizes of models and costs of stages: `core.tokens`, `tiny.parameters`, and the sum of all stages.
    pub costs: Vec<Change>,
    /// Steps that run again, in the order of the plan.
    pub again: Vec<StepChange>,
    /// Names of steps that are gone.
    pub gone: Vec<String>,
    /// Steps that are as they were.
    pub kept: usize,
}

impl Diff {
    /// Whether the plans are equal: nothing runs again.
    pub fn same_plan(&self) -> bool {
        self.before == self.after
    }
}

/// Compares two programs with their plans.
pub fn diff(before: (&Program, &Plan), after: (&Program, &Plan)) -> Diff {
    let (again, gone, kept) = steps(before.1, after.1);
    Diff {
        before: before.1.hash(),
        after: after.1.hash(),
        params: values(&shown(&before.0.params), &shown(&after.0.params)),
        items: items(before.0, after.0),
        costs: values(&costs(before.1), &costs(after.1)),
        again,
        gone,
        kept,
    }
}

type Flat = IndexMap<String, String>;

fn shown(params: &BTreeMap<String, Value>) -> Flat {
    params.iter().map(|(name, value)| (name.clone(), show(value))).collect()
}

/// Both lists by path: those of `after` in their order, then those that are gone.
fn values(before: &Flat, after: &Flat) -> Vec<Change> {
    let mut changes = Vec::new();
    for (path, value) in after {
        if before.get(path) != Some(value) {
            let before = before.get(path).cloned();
            changes.push(Change { path: path.clone(), before, after: Some(value.clone()) });
        }
    }
    for (path, value) in before.iter().filter(|(path, _)| !after.contains_key(*path)) {
        changes.push(Change { path: path.clone(), before: Some(value.clone()), after: None });
    }
    changes
}

fn items(before: &Program, after: &Program) -> Vec<ItemChange> {
    let renamed = renames(before, after);
    let back: BTreeMap<&String, &String> = renamed.iter().map(|(old, new)| (new, old)).collect();
    let mut changes = Vec::new();
    for (name, item) in &after.items {
        let kind = item.kind.signature.name.to_owned();
        let old_name = back.get(name).copied().unwrap_or(name);
        let Some(old) = before.items.get(old_name) else {
            changes.push(ItemChange::Added { item: name.clone(), kind });
            continue;
        };
        if old_name != name {
            changes.push(ItemChange::Renamed {
                item: old_name.clone(),
                kind: kind.clone(),
                to: name.clone(),
            });
        }
        let mut found = values(&flat(old, &renamed), &flat(item, &BTreeMap::new()));
        let old_kind = old.kind.signature.name;
        if old_kind != kind {
            found.insert(
                0,
                Change { path: "kind".into(), before: Some(old_kind.into()), after: Some(kind.clone()) },
            );
        }
        if !found.is_empty() {
            changes.push(ItemChange::Changed { item: name.clone(), kind, values: found });
        }
    }
    let is_gone =
        |(name, _): &(&String, &Item)| !after.items.contains_key(*name) && !renamed.contains_key(*name);
    for (name, item) in before.items.iter().filter(is_gone) {
        changes.push(ItemChange::Removed { item: name.clone(), kind: item.kind.signature.name.into() });
    }
    changes
}

/// Items that have another name and, names aside, the same values. A rename can make another one visible.
fn renames(before: &Program, after: &Program) -> BTreeMap<String, String> {
    let mut renamed: BTreeMap<String, String> = BTreeMap::new();
    loop {
        let free_old =
            |(name, _): &(&String, &Item)| !after.items.contains_key(*name) && !renamed.contains_key(*name);
        let taken: BTreeSet<&String> = renamed.values().collect();
        let free_new =
            |(name, _): &(&String, &Item)| !before.items.contains_key(*name) && !taken.contains(name);
        let pair = before.items.iter().filter(free_old).find_map(|(old, item)| {
            let same = |(_, other): &(&String, &Item)| {
                std::ptr::eq(item.kind.signature, other.kind.signature)
                    && flat(item, &renamed) == flat(other, &BTreeMap::new())
            };
            let new = after.items.iter().filter(free_new).find(same)?;
            Some((old.clone(), new.0.clone()))
        });
        match pair {
            Some((old, new)) => renamed.insert(old, new),
            None => return renamed,
        };
    }
}

/// An item as paths and values, defaults filled in, references under their new names.
fn flat(item: &Item, renamed: &BTreeMap<String, String>) -> Flat {
    let rename = |value: &Value| rename(value.clone(), renamed);
    let mut found = Flat::new();
    for (name, value) in &item.members {
        let (head, part) = name.split_once('.').map_or((name.as_str(), None), |(h, p)| (h, Some(p)));
        let key = match renamed.get(head) {
            // Keys of a mix are names of items.
            Some(new) => part.map_or_else(|| new.clone(), |part| format!("{new}.{part}")),
            None => name.clone(),
        };
        flatten(&key, &rename(value), &mut found);
    }
    if let Some(value) = &item.value {
        flatten("", &rename(value), &mut found);
    }
    found
}

fn rename(value: Value, renamed: &BTreeMap<String, String>) -> Value {
    if let Value::Pipe(head, calls) = value {
        let args = |call: Call| Call {
            args: llmp_stdlib::value::map_record(call.args, &mut |v| name(v, renamed)),
            ..call
        };
        return Value::Pipe(Box::new(rename(*head, renamed)), calls.into_iter().map(args).collect());
    }
    value.map(&mut |value| name(value, renamed))
}

fn name(value: Value, renamed: &BTreeMap<String, String>) -> Value {
    match value {
        Value::Item(mut item) => {
            if let Some(new) = renamed.get(&item.item) {
                item.item.clone_from(new);
            }
            Value::Item(item)
        }
        other => other,
    }
}

fn flatten(path: &str, value: &Value, out: &mut Flat) {
    match value {
        Value::Record(record) => fields(path, record, out),
        Value::Call(call) => {
            let at = if path.is_empty() { "=" } else { path };
            out.insert(at.to_owned(), format!("{}(…)", call.name));
            let inner = if path.is_empty() { call.name.as_str() } else { path };
            fields(inner, &call.args, out);
        }
        Value::Pipe(head, calls) => {
            flatten(path, head, out);
            steps_of(path, calls.iter(), out);
        }
        // A chain is a pipe without a head.
        Value::List(items) if path.is_empty() && items.iter().all(|v| matches!(v, Value::Call(_))) => {
            let call =
                |value: &'_ Value| if let Value::Call(call) = value { Some(call.clone()) } else { None };
            let calls: Vec<Call> = items.iter().filter_map(call).collect();
            steps_of(path, calls.iter(), out);
        }
        other => {
            let at = if path.is_empty() { "=" } else { path };
            out.insert(at.to_owned(), show(other));
        }
    }
}

/// Steps of a pipe, those of one name numbered from the second on.
fn steps_of<'c>(path: &str, calls: impl Iterator<Item = &'c Call>, out: &mut Flat) {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for call in calls {
        let count = seen.entry(&call.name).or_default();
        *count += 1;
        let number = if *count == 1 { String::new() } else { format!("#{count}") };
        let before = if path.is_empty() { String::new() } else { format!("{path} ") };
        let at = format!("{before}|> {}{number}", call.name);
        out.insert(at.clone(), format!("{}(…)", call.name));
        fields(&at, &call.args, out);
    }
}

fn fields(path: &str, record: &Record, out: &mut Flat) {
    for (name, value) in record {
        let at = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        flatten(&at, value, out);
    }
}

/// A value for people: large whole numbers with their magnitude where that is exact.
fn show(value: &Value) -> String {
    let Value::Number(quantity) = value else { return value.to_string() };
    let exact = quantity.show();
    let plain = number::show(quantity.amount);
    let short = short(&plain);
    if short == plain { exact } else { exact.replacen(&plain, &short, 1) }
}

/// `14800000000000` as `14.8T`; anything else as it is.
fn short(digits: &str) -> String {
    for (zeros, suffix) in [(12, "T"), (9, "B"), (6, "M"), (3, "k")] {
        if digits.len() <= zeros || !digits.bytes().all(|b| b.is_ascii_digit()) {
            continue;
        }
        let (whole, rest) = digits.split_at(digits.len() - zeros);
        let rest = rest.trim_end_matches('0');
        return match rest.len() {
            0 => format!("{whole}{suffix}"),
            1..=2 => format!("{whole}.{rest}{suffix}"),
            _ => digits.to_owned(),
        };
    }
    digits.to_owned()
}

fn costs(plan: &Plan) -> Flat {
    let mut found = Flat::new();
    let count = |n: u64| n.to_string();
    for (name, cost) in &plan.models {
        found.insert(format!("{name}.parameters"), count(cost.parameters));
        found.insert(format!("{name}.active"), count(cost.active));
    }
    let (mut tokens, mut flops) = (0u64, 0.0);
    for (name, cost) in &plan.stages {
        found.insert(format!("{name}.tokens"), count(cost.tokens));
        found.insert(format!("{name}.steps"), count(cost.steps));
        found.insert(format!("{name}.flops"), format!("{:.3e}", cost.flops));
        found.insert(format!("{name}.memory_bytes"), count(cost.memory_bytes));
        tokens = tokens.saturating_add(cost.tokens);
        flops += cost.flops;
    }
    if plan.stages.len() > 1 {
        found.insert("all stages.tokens".into(), count(tokens));
        found.insert("all stages.flops".into(), format!("{flops:.3e}"));
    }
    found
}

/// Steps that run again with their reasons, steps that are gone, and how many stay.
fn steps(before: &Plan, after: &Plan) -> (Vec<StepChange>, Vec<String>, usize) {
    let known: BTreeSet<_> = before.steps.iter().map(|s| &s.id).collect();
    let now: BTreeSet<_> = after.steps.iter().map(|s| &s.id).collect();
    let mut paired = BTreeSet::new();
    let mut again = Vec::new();
    for step in after.steps.iter().filter(|s| !known.contains(&s.id)) {
        let name = after.name(&step.id);
        // The same step before the change: of the same name, else of the same kind where only one is left over.
        let left_over =
            |old: &&Step| old.op == step.op && !now.contains(&old.id) && !paired.contains(&old.id);
        let old = before.steps.iter().filter(left_over);
        let mut old: Vec<&Step> = old.collect();
        let same_name = old.iter().position(|o| before.name(&o.id) == name);
        let old = match (same_name, old.len()) {
            (Some(at), _) => Some(old.remove(at)),
            (None, 1) => old.pop(),
            (None, _) => None,
        };
        let because = old.map_or_else(
            || vec!["it is new".to_owned()],
            |old| {
                paired.insert(old.id.clone());
                reasons((before, old), (after, step), &known)
            },
        );
        again.push(StepChange { step: name, op: step.op.clone(), because });
    }
    let gone = before.steps.iter().filter(|s| !now.contains(&s.id) && !paired.contains(&s.id));
    let gone = gone.map(|s| before.name(&s.id)).collect();
    let kept = after.steps.iter().filter(|s| known.contains(&s.id)).count();
    (again, gone, kept)
}

fn reasons(old: (&Plan, &Step), new: (&Plan, &Step), known: &BTreeSet<&llmp_stdlib::StepId>) -> Vec<String> {
    let mut found = Vec::new();
    if old.1.rev != new.1.rev {
        found.push(format!("revision of {} {} → {}", new.1.op, old.1.rev, new.1.rev));
    }
    let flat = |args: &Record| {
        let mut all = Flat::new();
        fields("", args, &mut all);
        all
    };
    for change in values(&flat(&old.1.args), &flat(&new.1.args)) {
        let side = |value: Option<String>| value.unwrap_or_else(|| "nothing".into());
        let inputs = |value: &Option<String>| value.as_ref().is_some_and(|v| v.contains("input "));
        if !inputs(&change.before) && !inputs(&change.after) {
            found.push(format!("{} {} → {}", change.path, side(change.before), side(change.after)));
        }
    }
    let changed = new.1.inputs.iter().filter(|port| !known.contains(&port.step));
    let mut names: Vec<String> = changed.map(|port| new.0.name(&port.step)).collect();
    names.dedup();
    if !names.is_empty() {
        found.push(format!("it reads {}", names.join(", ")));
    }
    if found.is_empty() {
        let of = |plan: &Plan, step: &Step| -> Vec<String> {
            let part =
                |p: &llmp_stdlib::Port| p.part.as_ref().map(|part| format!(".{part}")).unwrap_or_default();
            step.inputs.iter().map(|p| format!("{}{}", plan.name(&p.step), part(p))).collect()
        };
        let (was, is) = (of(old.0, old.1), of(new.0, new.1));
        found.push(format!("it read {}, now {}", was.join(", "), is.join(", ")));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn numbers_are_short_only_where_that_is_exact() {
        assert_eq!(short("14800000000000"), "14.8T");
        assert_eq!(short("4000"), "4k");
        assert_eq!(short("4096"), "4096");
        assert_eq!(short("1234567"), "1234567");
        assert_eq!(short("0.65"), "0.65");
    }
}
