//! What an editor shows between the words: sizes, states of data, shares, and above items: what can be done with them.

use llmp_grammar::ast::{Body, Decl, ItemKind};
use llmp_grammar::{FileId, Span};
use llmp_stdlib::{Form, Registry, Value, Yields};

use super::index::{Sort, What};
use super::{Analysis, facts, nodes};
use crate::program::{Item, Meaning};

/// A hint behind a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// Where.
    pub at: u32,
    /// What.
    pub text: String,
    /// More, as Markdown.
    pub more: String,
}

/// Something that can be done with an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lens {
    /// The item's name.
    pub at: Span,
    /// What is shown.
    pub title: String,
    /// The command; empty for information.
    pub command: &'static str,
    /// The item or variant.
    pub name: String,
}

impl Analysis {
    /// Hints in a range of a file.
    pub fn hints(&self, registry: &Registry, file: FileId, range: std::ops::Range<u32>) -> Vec<Hint> {
        let Some(unit) = self.unit(file) else { return Vec::new() };
        let mut found = Vec::new();
        let inside = |at: u32| range.start <= at && at <= range.end;
        for item in nodes::items(&self.loaded.units[unit].ast) {
            let ItemKind::Decl(decl) = &item.kind else { continue };
            if item.span.end < range.start || item.span.start > range.end {
                continue;
            }
            let Some(known) = self.program.items.values().rfind(|known| known.at == decl.name.span) else {
                continue;
            };
            self.item_hints(registry, decl, known, &mut found);
        }
        found.extend(self.state_hints(file));
        found.retain(|hint: &Hint| inside(hint.at));
        found.sort_by(|a, b| (a.at, &a.text).cmp(&(b.at, &b.text)));
        found.dedup();
        found
    }

    fn item_hints(&self, registry: &Registry, decl: &Decl, item: &Item, found: &mut Vec<Hint>) {
        let table = |facts: Vec<facts::Fact>| {
            facts.iter().map(|(n, v)| format!("{n}: {v}")).collect::<Vec<_>>().join("\n\n")
        };
        let own = facts::cost(&self.program, item);
        if !own.is_empty()
            && let Some(text) = facts::short(&self.program, item)
        {
            let more = table(facts::facts(&self.program, registry, item));
            found.push(Hint { at: decl.name.span.end, text: format!("≈ {text}"), more });
        }
        let Body::Block(block) = &decl.body else { return };
        if let Form::Open(_) = item.kind.form
            && item.kind.yields == Yields::Mix
        {
            for member in &block.members {
                if member.value.as_name() != Some("rest") {
                    continue;
                }
                let key: Vec<String> = crate::check::path_of(&member.target);
                let share = item.members.get(&key.join(".")).and_then(facts::weight);
                if let Some(share) = share {
                    let text = format!("= {}", facts::percent(share));
                    found.push(Hint {
                        at: member.value.span.end,
                        text,
                        more: "what the others leave".into(),
                    });
                }
            }
        }
        // The vocabulary that a model gets by its default.
        let vocab = item.members.get("vocab").filter(|_| !item.written.contains("vocab"));
        if let (Some(Value::Number(q)), Some(member)) =
            (vocab, block.members.iter().find(|m| m.name().is_some_and(|n| n.text == "tokenizer")))
        {
            let text = format!("vocab = {}", llmp_stdlib::number::show(q.amount));
            let more = "the tokenizer's size, rounded up".to_owned();
            found.push(Hint { at: member.value.span.end, text, more });
        }
    }

    /// What comes out of each step of a pipe.
    fn state_hints(&self, file: FileId) -> Vec<Hint> {
        let mut found: Vec<Hint> = Vec::new();
        let Some(unit) = self.unit(file) else { return found };
        let rows: std::collections::BTreeMap<u32, &crate::program::Row> = self
            .program
            .meanings
            .iter()
            .filter_map(|(span, m)| match m {
                Meaning::Data(row) if span.file == file => Some((span.start, row)),
                _ => None,
            })
            .collect();
        for item in nodes::items(&self.loaded.units[unit].ast) {
            let ItemKind::Decl(Decl { body: Body::Value(value), kind, name, .. }) = &item.kind else {
                continue;
            };
            if kind.text != "dataset" {
                continue;
            }
            let (head, steps) = crate::check::flatten(value);
            let lines = self.loaded.sources.slice(value.span).contains('\n');
            let last = self.program.items.values().rfind(|i| i.at == name.span).and_then(|i| i.row.as_ref());
            let ends: Vec<Span> = std::iter::once(head.span).chain(steps.iter().map(|s| s.span)).collect();
            let mut before: Option<String> = None;
            for (n, end) in ends.iter().enumerate() {
                let row = match steps.get(n) {
                    Some(next) => rows.get(&next.span.start).copied(),
                    None => last,
                };
                let Some(row) = row.filter(|row| row.state.is_some()) else { continue };
                let text = facts::state(row);
                // On one line only the result is worth its place; in a column, what a step changes.
                let shown = if lines { before.as_ref() != Some(&text) } else { n + 1 == ends.len() };
                if shown {
                    found.push(Hint { at: end.end, text: format!(": {text}"), more: facts::columns(row) });
                }
                before = Some(text);
            }
        }
        found
    }

    /// What can be done with the items of a file.
    pub fn lenses(&self, registry: &Registry, file: FileId) -> Vec<Lens> {
        let index = self.word_index(registry);
        let mut uses: std::collections::BTreeMap<usize, usize> = std::collections::BTreeMap::new();
        for mark in &index.marks {
            if let What::Symbol { id, declares: false } = mark.what {
                *uses.entry(id).or_default() += 1;
            }
        }
        let mut found = Vec::new();
        for (id, symbol) in index.symbols.iter().enumerate().filter(|(_, s)| s.at.file == file) {
            let lens = |title: String, command: &'static str| Lens {
                at: symbol.at,
                title,
                command,
                name: symbol.name.clone(),
            };
            match symbol.sort {
                Sort::Variant => found.push(lens("run this variant".into(), "llmp.run")),
                Sort::Item if symbol.parent.is_none() => {
                    let trains = symbol.kind.is_some_and(crate::check::trains);
                    let result =
                        symbol.kind.is_some_and(|k| matches!(k.yields, Yields::Metrics | Yields::Release));
                    let preset = self.items(symbol).any(|item| item.preset);
                    if (trains || result) && !preset {
                        found.push(lens("plan".into(), "llmp.showPlan"));
                        found.push(lens("run".into(), "llmp.run"));
                    }
                }
                _ => {}
            }
            if matches!(symbol.sort, Sort::Item | Sort::Family | Sort::Rounds | Sort::Param | Sort::Let)
                && symbol.parent.is_none()
            {
                let n = uses.get(&id).copied().unwrap_or(0);
                found.push(lens(format!("{n} use{}", if n == 1 { "" } else { "s" }), ""));
            }
        }
        found
    }
}
