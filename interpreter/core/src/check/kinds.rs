//! Rules over whole items and over the whole program: one-of groups, the checks of kinds, cycles, what is unused.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use llmp_grammar::{Diag, Span};
use llmp_stdlib::{Kind, Ty, Yields};

use super::Checker;
use crate::codes::{BothGiven, Cycle, NoneGiven, OwnReference, Unused};
use crate::resolve::{DeclRef, Def, Names, What};

/// Whether items of a kind come from training: they yield a model and are made from one.
pub(crate) fn trains(kind: &Kind) -> bool {
    fn takes_model(ty: &Ty) -> bool {
        match ty {
            Ty::Item(yields) => yields.contains(&Yields::Model),
            Ty::Optional(ty) | Ty::List(ty) => takes_model(ty),
            Ty::OneOf(types) => types.iter().any(takes_model),
            _ => false,
        }
    }
    matches!(kind.yields, Yields::Model | Yields::Reward)
        && kind.signature.params.iter().any(|p| takes_model(&p.ty))
}

impl<'a> Checker<'a> {
    /// One-of groups and the checks of each kind, once all items are evaluated.
    pub(crate) fn kind_rules(&mut self) {
        let names: Vec<String> = self.items.0.keys().cloned().collect();
        for name in names {
            if self.items.0.get(&name).is_some_and(|item| item.preset) {
                continue;
            }
            self.groups(&name);
            let Some(item) = self.items.0.get(&name) else { continue };
            let mut problems = (item.kind.check)(&item.view(&self.items));
            if item.complete {
                problems.extend(
                    (item.kind.signature.check)(&item.members).into_iter().filter(|_| item.value.is_none()),
                );
            }
            let wrong = problems.iter().any(|p| p.severity == llmp_stdlib::Severity::Error);
            let text = |at| self.loaded.sources.slice(at);
            let diags: Vec<Diag> = problems
                .into_iter()
                .map(|p| super::report::place_in(p, &[], &item.places, item.at, text))
                .collect();
            self.diags.extend(diags);
            if wrong && let Some(item) = self.items.0.get_mut(&name) {
                item.complete = false;
            }
        }
    }

    fn groups(&mut self, name: &str) {
        let Some(item) = self.items.0.get(name) else { return };
        if item.value.is_some() || (item.members.is_empty() && !item.complete) {
            return;
        }
        let broken = self
            .names
            .decls
            .get(name)
            .is_some_and(|d| matches!(&d.decl.body, llmp_grammar::ast::Body::Block(b) if b.broken));
        let none = |member: &str| item.members.get(member) == Some(&llmp_stdlib::Value::None);
        let mut diags: Vec<Diag> = Vec::new();
        let meant = super::item::meant(item.kind, item.written.iter().map(String::as_str));
        for group in item.kind.groups {
            let given: Vec<&str> =
                group.members.iter().copied().filter(|m| item.written.contains(*m) && !none(m)).collect();
            let owner = format!("the {} `{name}`", item.kind.signature.name);
            let members = group.members.iter().map(|m| format!("`{m}`")).collect::<Vec<_>>().join(", ");
            let place = |member: &str| {
                let path = [member.to_owned()];
                item.layers.get(&path[..]).and_then(|l| l.last()).map_or(item.at, |l| l.at)
            };
            match given.as_slice() {
                [] if group.required && !broken && !group.members.iter().any(|m| meant.contains(m)) => {
                    diags.push(NoneGiven { owner, members, at: item.at }.into())
                }
                [first, second, ..] => {
                    let (mut one, mut two) = ((*first, place(first)), (*second, place(second)));
                    if two.1.start < one.1.start {
                        std::mem::swap(&mut one, &mut two);
                    }
                    let facts =
                        BothGiven { first: one.0.into(), second: two.0.into(), at: two.1, other: one.1 };
                    diags.push(facts.into());
                }
                _ => continue,
            }
        }
        if !diags.is_empty() {
            self.diags.extend(diags);
            if let Some(item) = self.items.0.get_mut(name) {
                item.complete = false;
            }
        }
    }

    /// Definitions that need themselves, each circle once.
    pub(crate) fn cycles(&mut self) {
        let mut done: BTreeSet<String> = BTreeSet::new();
        let starts: Vec<String> = self.names.decls.keys().chain(self.names.lets.keys()).cloned().collect();
        let mut found: Vec<Vec<String>> = Vec::new();
        for start in starts {
            walk(&self.mentions, &start, &mut done, &mut found);
        }
        let mut reported: BTreeSet<Vec<String>> = BTreeSet::new();
        for circle in found {
            let mut key = circle.clone();
            key.sort();
            if !reported.insert(key) {
                continue;
            }
            let edges = circle.iter().zip(circle.iter().cycle().skip(1));
            let spans: Vec<Span> = edges.filter_map(|(a, b)| self.mentions.get(a)?.get(b).copied()).collect();
            let Some((at, others)) = spans.split_first() else { continue };
            if let [own] = circle.as_slice()
                && let Some(member) = self.reference_to_itself(own, *at)
            {
                let message = format!("the {member} of `{own}` is what `{own}` itself trains");
                let diag = Diag::from(OwnReference { message, at: *at });
                self.diags.push(diag.help(
                    "a reference is frozen: name the model that the stage starts from, or an earlier one",
                ));
                continue;
            }
            let names: Vec<&str> = circle.iter().chain(circle.first()).map(String::as_str).collect();
            self.diags.push(Cycle { path: names.join(" → "), at: *at, others: others.to_vec() }.into());
        }
    }

    /// The member that names a frozen model, where an item names itself there.
    fn reference_to_itself(&self, item: &str, at: Span) -> Option<&'static str> {
        let places = &self.items.0.get(item)?.places;
        let names = [("reference", "reference"), ("to", "model held to")];
        names.into_iter().find_map(|(member, words)| {
            let here = |(path, place): (&Vec<String>, &crate::program::Place)| {
                path.last().is_some_and(|last| last == member) && place.value == at
            };
            places.iter().any(here).then_some(words)
        })
    }

    /// What nothing trained, evaluated or released needs, in the main file.
    pub(crate) fn unused(&mut self) {
        let names = Rc::clone(&self.names);
        let root = |decl: &DeclRef<'_>| {
            matches!(decl.kind.yields, Yields::Metrics | Yields::Release | Yields::Hardware)
                || trains(decl.kind)
        };
        let mut open: Vec<&str> =
            names.decls.iter().filter(|(_, decl)| root(decl)).map(|(name, _)| name.as_str()).collect();
        // Checks and variants are mentioned from outside of any definition.
        open.extend(self.mentions.keys().map(String::as_str).filter(|n| n.is_empty() || n.starts_with(' ')));
        let mut used: BTreeSet<&str> = BTreeSet::new();
        while let Some(name) = open.pop() {
            if used.insert(name) {
                open.extend(self.mentions.get(name).into_iter().flat_map(|to| to.keys().map(String::as_str)));
            }
        }
        let imported: BTreeSet<&str> = names.imports.iter().map(|(n, _)| n.as_str()).collect();
        let mut diags: Vec<Diag> = Vec::new();
        // Names of the main file, then those inside of its rounds.
        let mut scopes: Vec<Vec<usize>> = vec![vec![0]];
        while let Some(together) = scopes.pop() {
            let Some(scope) = together.first().and_then(|scope| names.scopes.get(*scope)) else { continue };
            for (name, (def, at)) in &scope.names {
                let defs = together.iter().filter_map(|scope| names.scopes.get(*scope)?.names.get(name));
                if let Def::Template(template) = def
                    && let Some(of) = names.templates.get(template)
                    && matches!(of.what, What::Rounds(_))
                    && !idle(&names, &used, def)
                {
                    scopes.push(of.instances.iter().map(|instance| instance.scope).collect());
                }
                let idle = match def {
                    Def::Space(_) => !self.used_names.contains(name),
                    _ => defs.map(|(def, _)| def).all(|def| idle(&names, &used, def)),
                };
                let from_elsewhere = imported.contains(name.as_str());
                if idle && !(from_elsewhere && self.used_names.contains(name)) {
                    diags.push(Unused { name: name.clone(), at: *at }.into());
                }
            }
        }
        self.diags.extend(diags);
    }
}

/// Whether nothing that counts needs a definition. Of a template it is enough that one instance is needed.
fn idle(names: &Names<'_>, used: &BTreeSet<&str>, def: &Def) -> bool {
    match def {
        Def::Item(name) | Def::Let(name) | Def::Param(name) => !used.contains(name.as_str()),
        Def::Template(template) => {
            let Some(of) = names.templates.get(template) else { return false };
            let mut instances = of.instances.iter().peekable();
            instances.peek().is_some()
                && instances.all(|instance| match of.what {
                    What::Family(..) => !used.contains(instance.name.as_str()),
                    What::Rounds(_) => {
                        let inner =
                            names.scopes.get(instance.scope).into_iter().flat_map(|s| s.names.values());
                        let mut inner = inner.map(|(def, _)| def).filter(|def| !matches!(def, Def::Bound(_)));
                        inner.all(|def| idle(names, used, def))
                    }
                })
        }
        Def::Bound(_) | Def::Variant | Def::Space(_) | Def::Broken => false,
    }
}

/// Walks the graph of mentions from a definition, without recursion: programs may be long chains.
fn walk(
    mentions: &BTreeMap<String, BTreeMap<String, Span>>,
    start: &str,
    done: &mut BTreeSet<String>,
    found: &mut Vec<Vec<String>>,
) {
    if done.contains(start) {
        return;
    }
    let next = |node: &str| mentions.get(node).map(|to| to.keys()).unwrap_or_default();
    let mut path: Vec<String> = vec![start.to_owned()];
    let mut places: BTreeMap<String, usize> = [(start.to_owned(), 0)].into();
    let mut open = vec![next(start)];
    while let Some(branches) = open.last_mut() {
        match branches.next() {
            Some(node) => {
                if let Some(at) = places.get(node) {
                    found.push(path[*at..].to_vec());
                } else if !done.contains(node) {
                    places.insert(node.clone(), path.len());
                    path.push(node.clone());
                    open.push(next(node));
                }
            }
            None => {
                open.pop();
                if let Some(node) = path.pop() {
                    places.remove(&node);
                    done.insert(node);
                }
            }
        }
    }
}
