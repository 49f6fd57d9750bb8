//! Rules over the whole program: what reaches what, how often, under which rights. Each has its own code.

mod amounts;
mod machines;
mod order;
mod rights;
mod trained;

use llmp_grammar::{Diag, Span};
use llmp_stdlib::{Program as _, Value, View};

use crate::check::Checker;
use crate::lineage::{Leaf, Lineage, Portion, Stage};
use crate::program::Items;

impl Checker<'_> {
    /// Applies all rules of this module.
    pub(crate) fn lints(&mut self) {
        let look = Look {
            items: &self.items,
            lineage: Lineage::new(&self.items, self.registry, &self.loaded.locked),
        };
        let stages = look.stages();
        let mut diags: Vec<Diag> = Vec::new();
        amounts::repeated(&look, &stages, &mut diags);
        rights::evaluation(&look, &stages, &mut diags);
        rights::licenses(&look, &mut diags);
        rights::synthetic(&look, &stages, &mut diags);
        machines::fits(&look, &mut diags);
        // After a mistake more is unused than was meant.
        if !self.diags.iter().any(Diag::is_error) {
            trained::unused(&look, self, &mut diags);
        }
        for decl in self.names.decls.values() {
            order::steps(self.registry, decl, &mut diags);
        }
        drop(look);
        self.diags.extend(diags);
    }
}

/// The program as the rules see it.
pub(crate) struct Look<'p> {
    pub(crate) items: &'p Items,
    pub(crate) lineage: Lineage<'p>,
}

impl<'p> Look<'p> {
    /// Items that are known as a whole.
    pub(crate) fn views(&self) -> impl Iterator<Item = View<'p>> + '_ {
        let items = self.items;
        items.0.values().filter(|item| item.complete && !item.preset).map(move |item| item.view(items))
    }

    /// Everything that trains.
    fn stages(&self) -> Vec<Stage> {
        self.views().filter_map(|view| self.lineage.stage(&view)).collect()
    }

    /// Where a member of an item stands.
    pub(crate) fn place(&self, item: &str, path: &[&str]) -> Span {
        let path: Vec<String> = path.iter().map(|p| (*p).to_owned()).collect();
        self.items.0.get(item).map(|item| item.place(&path)).unwrap_or_default()
    }

    /// Where a stage names a part of its data: in the mixture, else in the stage.
    pub(crate) fn portion(&self, stage: &str, member: &str, portion: &Portion) -> Span {
        let mix = self.items.view(stage).and_then(|view| match view.get(member) {
            Some(Value::Item(item)) => self.items.0.get(&item.item),
            _ => None,
        });
        let key = [portion.name.clone()];
        match mix {
            Some(mix) if mix.places.contains_key(&key[..]) => mix.place(&key),
            _ => self.place(stage, &[member]),
        }
    }

    /// Where a source is defined, if it is an item.
    pub(crate) fn source(&self, leaf: &Leaf) -> Option<Span> {
        leaf.is_item.then(|| self.items.0.get(&leaf.source).map(|item| item.at)).flatten()
    }

    /// Data that an evaluation reads.
    pub(crate) fn measured(&self, view: &View<'_>) -> Vec<Leaf> {
        let mut found = Vec::new();
        view.members.values().for_each(|value| self.data_in(value, &mut found));
        found
    }

    /// Data that a value names.
    pub(crate) fn data_of(&self, value: &Value) -> Vec<Leaf> {
        let mut found = Vec::new();
        self.data_in(value, &mut found);
        found
    }

    fn data_in(&self, value: &Value, found: &mut Vec<Leaf>) {
        match value {
            _ if self.lineage.is_data(value) => found.extend(self.lineage.data(value).leaves),
            Value::List(items) => items.iter().for_each(|v| self.data_in(v, found)),
            Value::Record(record) => record.values().for_each(|v| self.data_in(v, found)),
            Value::Call(call) => call.args.values().for_each(|v| self.data_in(v, found)),
            _ => {}
        }
    }
}

/// A second label where its place is known.
pub(crate) fn also(diag: Diag, at: Option<Span>, text: &str) -> Diag {
    match at {
        Some(at) if diag.span() != Some(at) => diag.label(at, text),
        _ => diag,
    }
}
