//! Families and rounds in values: `wiki["de"]`, `all(wiki)`, `post[3].judge`, `post.policy`, `post.count`.

use llmp_grammar::ast::{Expr, ExprKind, Ident};
use llmp_grammar::{Diag, Span, nearest};
use llmp_stdlib::{Call, ItemRef, Record, Ty, Value, Yields};

use super::call::Parts;
use super::coerce::all;
use super::{Checker, Val};
use crate::codes::{BadArgument, Mismatch, NotStatic, OutOfRange, UnknownName};
use crate::program::Row;
use crate::resolve::{Def, What, suggest};

/// What stands before a key or a member without being a value itself.
pub(crate) enum Group {
    /// A family or rounds, by unique name.
    Template(String),
    /// One round: its name and its scope.
    Round(String, usize),
    /// Something that was reported.
    Wrong,
}

impl<'a> Checker<'a> {
    /// The family, the rounds or the round that an expression names.
    pub(crate) fn group(&mut self, expr: &Expr) -> Option<Group> {
        match &expr.kind {
            ExprKind::Name(name) if self.local(name).is_none() => {
                let Some((Def::Template(_), _)) = self.names.get(self.ctx.scope?, name) else { return None };
                match self.lookup(name, expr.span)? {
                    Def::Template(template) => Some(Group::Template(template)),
                    _ => None,
                }
            }
            ExprKind::Field { base, name } => {
                if let Some(space) = base.as_name()
                    && let Some((Def::Space(unit), _)) = self.names.get(self.ctx.scope?, space)
                {
                    let unit = *unit;
                    let Some((Def::Template(template), _)) = self.names.get(unit, &name.text) else {
                        return None;
                    };
                    let template = template.clone();
                    self.lookup(space, base.span);
                    self.mention(&template, name.span);
                    return Some(Group::Template(template));
                }
                if !matches!(base.kind, ExprKind::Index { .. }) {
                    return None;
                }
                match self.group(base)? {
                    Group::Round(_, scope) => {
                        let inner = self.names.scopes.get(scope)?.names.get(&name.text)?;
                        let Def::Template(template) = &inner.0 else { return None };
                        let template = template.clone();
                        self.mention(&template, name.span);
                        Some(Group::Template(template))
                    }
                    _ => None,
                }
            }
            ExprKind::Index { base, index } => {
                let Group::Template(name) = self.group(base)? else { return None };
                let What::Rounds(_) = self.names.templates.get(&name)?.what else { return None };
                Some(match self.instance(&name, index) {
                    Ok((round, scope)) => Group::Round(round, scope),
                    Err(_) => Group::Wrong,
                })
            }
            _ => None,
        }
    }

    /// The instance of a key: its name and its scope.
    fn instance(&mut self, name: &str, index: &Expr) -> Result<(String, usize), Val> {
        let key = match self.infer(index) {
            Val::Known(key) => key,
            Val::Error => return Err(Val::Error),
            Val::Unknown => {
                self.report(NotStatic { what: format!("this key of `{name}`"), at: index.span });
                return Err(Val::Error);
            }
        };
        self.instance_of(name, &key, index.span).ok_or(Val::Error)
    }

    /// A template without instances: its index is wrong, which was said, or it is asked for before there are any.
    fn no_instance(&mut self) -> Val {
        self.dynamic |= self.expanding;
        Val::Error
    }

    /// The instance of a computed key, or a word on which there are.
    pub(crate) fn instance_of(&mut self, name: &str, key: &Value, at: Span) -> Option<(String, usize)> {
        let names = std::rc::Rc::clone(&self.names);
        let template = names.templates.get(name)?;
        if let Some(found) = template.instance(key) {
            return Some((found.name.clone(), found.scope));
        }
        let Some(first) = template.instances.first() else {
            self.no_instance();
            return None;
        };
        let keys = || template.keys.keys().map(String::as_str);
        let few: Vec<&str> = template
            .instances
            .iter()
            .map(|i| i.name.trim_start_matches(name).trim_matches(['[', ']']))
            .take(12)
            .collect();
        let more = if template.instances.len() > few.len() { ", …" } else { "" };
        let note = format!("there are: {}{more}", few.join(", "));
        let texts = first.name.ends_with("\"]");
        let diag = match key {
            Value::Text(text) if texts => {
                let diag =
                    Diag::from(UnknownName { what: format!("key of `{name}`"), name: text.clone(), at });
                suggest(diag, nearest(&key.to_string(), keys()), at)
            }
            key => OutOfRange { message: format!("`{name}` has no {key}"), at }.into(),
        };
        self.report(diag.note(note));
        None
    }

    /// `base[index]` where the base is a family or rounds.
    pub(crate) fn group_index(&mut self, group: Group, index: &Expr, at: Span) -> Val {
        let Group::Template(name) = group else {
            if let Group::Round(round, _) = group {
                let message = format!("`{round}` is one round: name an item of it");
                self.report(crate::codes::BadOperator { message, at });
            }
            return Val::Error;
        };
        let (instance, _) = match self.instance(&name, index) {
            Ok(found) => found,
            Err(val) => return val,
        };
        if self.names.decls.contains_key(&instance) {
            self.mention(&instance, at);
            return Val::Known(Value::Item(ItemRef { item: instance, part: None }));
        }
        let expected = "a value".to_owned();
        let diag = Diag::from(Mismatch { expected, found: format!("the round `{instance}`"), at });
        self.report(diag.help("name an item of the round"));
        Val::Error
    }

    /// `base.name` where the base is a family, rounds or one round.
    pub(crate) fn group_field(&mut self, group: Group, base: &Expr, name: &Ident) -> Val {
        match group {
            Group::Wrong => Val::Error,
            Group::Round(round, scope) => {
                let names = std::rc::Rc::clone(&self.names);
                let own = names.scopes.get(scope).map(|s| &s.names);
                if own.is_some_and(|own| own.contains_key(&name.text)) {
                    return self
                        .within(|ctx| ctx.scope = Some(scope), |c| c.infer_name(&name.text, name.span));
                }
                let has = own.into_iter().flat_map(|own| own.keys().map(String::as_str));
                self.no_member(format!("the round `{round}`"), &name.text, name.span, has);
                Val::Error
            }
            Group::Template(template) => self.rounds_field(&template, base, name),
        }
    }

    fn rounds_field(&mut self, template: &str, base: &Expr, name: &Ident) -> Val {
        let names = std::rc::Rc::clone(&self.names);
        let Some(of) = names.templates.get(template) else { return Val::Error };
        let What::Rounds(rounds) = of.what else { return self.not_one(template, base.span) };
        let Some(last) = of.instances.last() else { return self.no_instance() };
        if name.text == "count" {
            return Val::Known(Value::number(of.instances.len() as i128));
        }
        let target = format!("{template}.{}", name.text);
        if names.lets.contains_key(&target) {
            self.mention(&target, name.span);
            return self.in_let(&target, name.span, |c, expr| c.infer(expr));
        }
        let own = names.scopes.get(last.scope).map(|s| &s.names);
        if own.is_some_and(|own| own.contains_key(&name.text)) && name.text != rounds.var.text {
            let found = format!("`{}` of every round", name.text);
            let whole = format!("{}.{}", last.name, name.text);
            let diag =
                Diag::from(Mismatch { expected: "one item".into(), found, at: base.span.to(name.span) });
            self.report(diag.help(format!("say of which round: `{whole}` is that of the last one")));
            return Val::Error;
        }
        let carried = super::expand::carries(rounds).map(|carry| carry.name.text.as_str());
        self.no_member(format!("the rounds `{template}`"), &name.text, name.span, carried.chain(["count"]));
        Val::Error
    }

    /// A family or rounds where one item is expected.
    pub(crate) fn not_one(&mut self, template: &str, at: Span) -> Val {
        let names = std::rc::Rc::clone(&self.names);
        let Some(of) = names.templates.get(template) else { return Val::Error };
        let Some(first) = of.instances.first() else { return self.no_instance() };
        let written = self.loaded.sources.slice(at).to_owned();
        let (found, help, data) = match of.what {
            What::Family(_, _, kind) if kind.yields == Yields::Data => {
                (format!("the family `{written}`"), format!("`all({written})` or `{}`", first.name), true)
            }
            What::Family(..) => (format!("the family `{written}`"), format!("`{}`", first.name), false),
            What::Rounds(rounds) => {
                let inner = rounds.members.iter().find_map(|member| match member {
                    llmp_grammar::ast::RoundMember::Item(item) => item.name(),
                    _ => None,
                });
                let inner = inner.map_or_else(|| "…".to_owned(), |name| name.text.clone());
                (format!("the rounds `{written}`"), format!("`{}.{inner}`", first.name), false)
            }
        };
        let diag = Diag::from(Mismatch { expected: "one item".into(), found, at });
        let diag = diag.help(format!("write {help}"));
        let all = format!("all({written})");
        self.report(if data { diag.fix(format!("write `{all}`"), at, all) } else { diag });
        Val::Error
    }

    /// `all(wiki)`: the instances of a family of data, joined.
    pub(crate) fn all_of(&mut self, parts: &Parts<'_>, at: Span) -> (Val, Option<Row>) {
        let family = match parts.given.as_slice() {
            [one] if one.name.is_none() => one.value,
            _ => {
                self.report(BadArgument { message: "`all` takes one family of data".into(), at });
                return (Val::Error, None);
            }
        };
        let named = match self.group(family) {
            Some(Group::Template(name)) => name,
            Some(Group::Wrong) => return (Val::Error, None),
            _ => {
                if let Val::Known(value) = self.infer(family) {
                    let found = self.describe(&value);
                    let expected = "a family of data".to_owned();
                    self.report(Mismatch { expected, found, at: family.span });
                }
                return (Val::Error, None);
            }
        };
        let names = std::rc::Rc::clone(&self.names);
        let data = |what: What<'_>| matches!(what, What::Family(_, _, kind) if kind.yields == Yields::Data);
        let Some(template) = names.templates.get(&named).filter(|t| data(t.what)) else {
            let expected = "a family of data".to_owned();
            self.report(Mismatch { expected, found: format!("`{named}`"), at: family.span });
            return (Val::Error, None);
        };
        if template.instances.is_empty() {
            return (self.no_instance(), None);
        }
        let joins = self.source("concat").and_then(|s| Some((s, s.params.iter().find_map(list_of_data)?)));
        let Some((signature, (param, inner))) = joins else {
            return (self.not_yet("`all(…)`", at), None);
        };
        let mut items = Vec::new();
        for instance in &template.instances {
            self.mention(&instance.name, family.span);
            let item = Value::Item(ItemRef { item: instance.name.clone(), part: None });
            items.push(self.coerce(item, inner, family.span));
        }
        let mut args = Record::new();
        for other in signature.params {
            let value = match other.default {
                _ if other.name == param => all(std::mem::take(&mut items), Value::List),
                Some(_) => self.default(other),
                None => Val::Error,
            };
            let Val::Known(value) = value else { return (value, None) };
            args.insert(other.name.to_owned(), value);
        }
        let call = Call { name: signature.name.to_owned(), args };
        self.same_states(signature, &call, family.span);
        let value = Value::Call(call);
        let row = self.row_of(&value);
        (Val::Known(value), row)
    }
}

fn list_of_data(param: &'static llmp_stdlib::Param) -> Option<(&'static str, &'static Ty)> {
    match &param.ty {
        Ty::List(inner) if matches!(inner, Ty::Data(_)) => Some((param.name, inner)),
        _ => None,
    }
}
