//! Templates become instances: each value of the index is bound in a scope of its own.

use std::collections::BTreeMap;
use std::rc::Rc;

use llmp_grammar::Span;
use llmp_grammar::ast::{self, Expr, ItemKind, RoundMember};
use llmp_stdlib::{Value, number};

use super::{Checker, Context, Val};
use crate::codes::{DuplicateItem, HidesBuiltIn, Mismatch, NotStatic, OutOfRange};
use crate::resolve::{DeclRef, Def, Definer, Instance, LetRef, Scope, Template, What};

/// Most elements that the lists and ranges of a program may have.
const MOST: usize = 1_000_000;

/// Most definitions that the families of a program may make.
const MOST_IN_FAMILIES: usize = 10_000;

/// Most definitions that the rounds of a program may make: each goes back to those of all rounds before.
const MOST_IN_ROUNDS: usize = 1_000;

impl<'a> Checker<'a> {
    /// Makes the instances of all families and rounds. False if there would be too many: then there are none.
    pub(crate) fn expand(&mut self) -> bool {
        self.expanding = true;
        let mut done = 0;
        // Rounds may hold further templates, which are added behind; all of one depth are counted before any is made.
        while done < self.names.templates.len() && !self.overfull {
            let mut known = Vec::new();
            while let Some((name, template)) = self.names.templates.get_index(done) {
                let (name, template) = (name.clone(), template.clone());
                done += 1;
                self.hides(&template);
                self.within(
                    |ctx| ctx.node.clone_from(&name),
                    |c| c.index_used(template.scope, template.index().span),
                );
                let keys = self.keys(&name, &template).unwrap_or_default();
                if self.define(&template, keys.len()) {
                    known.push((name, template, keys));
                }
            }
            for (name, template, keys) in known {
                if !self.overfull {
                    self.instances(&name, template, keys);
                }
            }
        }
        self.expanding = false;
        if done > 0 {
            let names = Rc::make_mut(&mut self.names);
            let units: Vec<usize> = names.scopes.iter().map(|scope| scope.unit).collect();
            names.decls.sort_by_cached_key(|_, decl| (units.get(decl.scope).copied(), decl.order));
        }
        !self.overfull
    }

    /// Counts the definitions of a template against the most that there may be.
    fn define(&mut self, template: &Template<'a>, keys: usize) -> bool {
        let (n, what, most) = match template.what {
            What::Family(..) => (0, "families", MOST_IN_FAMILIES),
            What::Rounds(_) => (1, "rounds", MOST_IN_ROUNDS),
        };
        self.defined[n] = self.defined[n].saturating_add(keys.saturating_mul(template.size()));
        if self.defined[n] > most {
            let message = format!("{what} may make {most} definitions together, not more");
            self.report(OutOfRange { message, at: template.index().span });
            self.overfull = true;
        }
        !self.overfull
    }

    /// Names inside that are defined outside too.
    fn hides(&mut self, template: &Template<'a>) {
        let mut own: Vec<(&ast::Ident, &str)> = vec![(template.index(), "the index")];
        if let What::Rounds(rounds) = template.what {
            own.extend(rounds.members.iter().filter_map(|member| match member {
                RoundMember::Carry(carry) => Some((&carry.name, "what is carried")),
                RoundMember::Item(item) => item.name().map(|name| (name, "the item of the round")),
                RoundMember::Next(_) => None,
            }));
        }
        for (name, meaning) in own {
            if let Some((_, definition)) = self.names.get(template.scope, &name.text) {
                let (definition, meaning) = (*definition, meaning.to_owned());
                self.report(HidesBuiltIn { name: name.text.clone(), meaning, at: name.span, definition });
            }
        }
    }

    /// The values of the index, as written or as a variant sets them.
    fn keys(&mut self, name: &str, template: &Template<'a>) -> Option<Vec<Value>> {
        let set = self.index_set(name, template);
        match template.what {
            What::Family(_, index, _) => {
                let (scope, domain) = set.unwrap_or((template.scope, &index.domain));
                let what = format!("the index of `{name}`");
                let value = self.fixed(name, scope, domain, what)?;
                let keys = self.elements(value, domain.span)?;
                let scalar = |v: &&Value| !matches!(v, Value::Text(_) | Value::Number(_) | Value::Choice(_));
                if let Some(odd) = keys.iter().find(scalar) {
                    let found = self.describe(odd);
                    self.report(Mismatch { expected: "texts or numbers".into(), found, at: domain.span });
                    return None;
                }
                Some(keys)
            }
            What::Rounds(rounds) => {
                let from = self.whole(name, template.scope, &rounds.from)?;
                let (to, at) = match set {
                    Some((scope, count)) => {
                        (from.saturating_add(self.whole(name, scope, count)?), count.span)
                    }
                    None => (self.whole(name, template.scope, &rounds.to)?.saturating_add(1), rounds.to.span),
                };
                if to <= from {
                    let message = format!("`{name}` has no round: at least one is needed");
                    self.report(OutOfRange { message, at });
                    return None;
                }
                let ends = [from, to - 1].map(|n| Box::new(Value::number(i128::from(n))));
                let [low, high] = ends;
                self.elements(Value::Range(low, high), at)
            }
        }
    }

    /// A value that no item has a part in.
    fn fixed(&mut self, node: &str, scope: usize, expr: &'a Expr, what: String) -> Option<Value> {
        self.dynamic = false;
        let node = node.to_owned();
        let context = Context { scope: Some(scope), node, ..Context::default() };
        let value = self.within(|ctx| *ctx = context, |c| c.infer(expr));
        match value {
            Val::Known(value) if !self.dynamic => Some(value),
            Val::Error if !self.dynamic => None,
            _ => {
                self.report(NotStatic { what, at: expr.span });
                None
            }
        }
    }

    fn whole(&mut self, name: &str, scope: usize, expr: &'a Expr) -> Option<u64> {
        let value = self.fixed(name, scope, expr, format!("the range of `{name}`"))?;
        let whole = match &value {
            Value::Number(q) if q.dim == llmp_stdlib::Dim::NONE => number::to_u64(q.amount),
            _ => None,
        };
        if whole.is_none() {
            let found = self.describe(&value);
            self.report(Mismatch { expected: "a whole number".into(), found, at: expr.span });
        }
        whole
    }

    /// The elements of a list, or the whole numbers of a range.
    pub(crate) fn elements(&mut self, value: Value, at: Span) -> Option<Vec<Value>> {
        match value {
            Value::List(items) => Some(items),
            Value::Range(low, high) => {
                let found = range(&low, &high);
                if found.is_none() {
                    let message = format!("a range here has whole numbers and at most {MOST} of them");
                    self.report(OutOfRange { message, at });
                }
                found
            }
            value => {
                let message = format!("{} has no elements", self.describe(&value));
                self.report(crate::codes::BadOperator { message, at });
                None
            }
        }
    }

    /// Counts elements against the most that there may be.
    pub(crate) fn count(&mut self, more: usize, at: Span) -> bool {
        self.made = self.made.saturating_add(more);
        if self.made > MOST {
            let message = format!("lists and ranges may have {MOST} elements together, not more");
            self.report(OutOfRange { message, at });
        }
        self.made <= MOST
    }

    /// Whether there are more elements than there may be.
    pub(crate) fn too_many(&self) -> bool {
        self.made > MOST
    }

    fn instances(&mut self, name: &str, template: Template<'a>, keys: Vec<Value>) {
        let index = template.index();
        let registry = self.registry;
        let names = Rc::make_mut(&mut self.names);
        let unit = names.unit(template.scope).unwrap_or_default();
        let mut instances: Vec<Instance> = Vec::new();
        let mut by_key: BTreeMap<String, usize> = BTreeMap::new();
        for key in keys {
            let own = format!("{name}[{key}]");
            if by_key.insert(key.to_string(), instances.len()).is_some() {
                self.diags.push(DuplicateItem { name: own, at: index.span, first: index.span }.into());
                break;
            }
            let scope = names.scopes.len();
            let bound = (Def::Bound(key), index.span);
            let parent = Some(template.scope);
            let template_name = Some(name.to_owned());
            let own_names = [(index.text.clone(), bound)].into();
            names.scopes.push(Scope { names: own_names, unit, parent, template: template_name });
            let order = template.order;
            match template.what {
                What::Family(decl, _, kind) => {
                    let one = DeclRef { scope, item: template.item, decl, kind, order };
                    names.decls.insert(own.clone(), one);
                }
                What::Rounds(rounds) => {
                    let before = instances.last().map(|instance| instance.scope);
                    let mut definer = Definer { names, registry, scope, order, diags: &mut self.diags };
                    round(&mut definer, rounds, &own, before.unwrap_or(template.scope), before.is_none());
                }
            }
            instances.push(Instance { name: own, scope });
        }
        if let (What::Rounds(rounds), Some(last)) = (template.what, instances.last()) {
            for carry in carries(rounds) {
                // Without `next`, which was reported, the first value stands in.
                let next = nexts(rounds).find(|next| next.name.text == carry.name.text);
                let of = match next {
                    Some(next) => LetRef { scope: last.scope, ty: None, value: &next.value },
                    None => LetRef { scope: template.scope, ty: None, value: &carry.value },
                };
                names.lets.insert(format!("{name}.{}", carry.name.text), of);
            }
        }
        if let Some(known) = names.templates.get_mut(name) {
            known.instances = instances;
            known.keys = by_key;
        }
    }
}

fn nexts(rounds: &ast::Rounds) -> impl Iterator<Item = &ast::Binding> {
    rounds.members.iter().filter_map(|m| if let RoundMember::Next(next) = m { Some(next) } else { None })
}

pub(crate) fn carries(rounds: &ast::Rounds) -> impl Iterator<Item = &ast::Binding> {
    rounds.members.iter().filter_map(|m| if let RoundMember::Carry(carry) = m { Some(carry) } else { None })
}

/// Defines the names of one round. What is carried has its first value, then the `next` of the round before.
fn round<'a>(definer: &mut Definer<'_, 'a>, rounds: &'a ast::Rounds, own: &str, before: usize, first: bool) {
    for member in &rounds.members {
        match member {
            RoundMember::Carry(carry) => {
                let next = nexts(rounds).find(|next| next.name.text == carry.name.text);
                let value = match next {
                    Some(next) if !first => &next.value,
                    _ => &carry.value,
                };
                let unique = format!("{own}.{}", carry.name.text);
                definer.names.lets.insert(unique.clone(), LetRef { scope: before, ty: None, value });
                definer.name(&carry.name, Def::Let(unique));
            }
            RoundMember::Item(item) => {
                if !matches!(item.kind, ItemKind::Use(_) | ItemKind::Variant(_) | ItemKind::Param(_)) {
                    definer.define(item, |_, name| format!("{own}.{name}"));
                }
            }
            RoundMember::Next(_) => {}
        }
    }
}

/// The whole numbers of a range.
fn range(low: &Value, high: &Value) -> Option<Vec<Value>> {
    let (Value::Number(low), Value::Number(high)) = (low, high) else { return None };
    let (from, to) = (number::to_u64(low.amount)?, number::to_u64(high.amount)?);
    let few = usize::try_from(to.saturating_sub(from)).is_ok_and(|n| n < MOST);
    few.then(|| (from..=to).map(|n| Value::number(i128::from(n))).collect())
}
