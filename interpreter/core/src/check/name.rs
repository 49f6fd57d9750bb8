//! Names in values: what they stand for, and what to say of those that stand for nothing.

use llmp_grammar::{Diag, Span, nearest};
use llmp_stdlib::{ItemRef, Ty, Value};

use super::{Checker, Val};
use crate::codes::{HidesBuiltIn, NotAllowed, NotAvailable, UnknownName};
use crate::program::Meaning;
use crate::resolve::{Def, LetRef, suggest};

/// How deeply definitions may nest while they are evaluated; chains of items are evaluated in order and do not.
const DEEPEST: usize = 64;

/// Most elements that the lists of `let`s may have together, over all their uses.
const MOST_HELD: usize = 2_000_000;

/// Most uses of `let`s and chains inside of others.
const MOST_FOLLOWED: usize = 50_000;

impl<'a> Checker<'a> {
    /// What a name of the current file stands for.
    pub(crate) fn lookup(&mut self, name: &str, at: Span) -> Option<Def> {
        let scope = self.ctx.scope?;
        let (def, place) = self.names.get(scope, name).cloned()?;
        if self.names.unit(scope) == Some(0) {
            self.used_names.insert(name.to_owned());
        }
        match &def {
            Def::Item(target) | Def::Let(target) | Def::Param(target) | Def::Template(target) => {
                self.mention(target, at);
                self.mean(at, || Meaning::Definition(target.clone(), place));
            }
            Def::Bound(_) | Def::Variant | Def::Space(_) | Def::Broken => {}
        }
        Some(def)
    }

    /// Remembers that the definition at work needs another.
    pub(crate) fn mention(&mut self, target: &str, at: Span) {
        let node = self.ctx.node.clone();
        self.mentions.entry(node).or_default().entry(target.to_owned()).or_insert(at);
    }

    /// Whether definitions nest so deeply that no one can have written them: said, and not followed.
    pub(crate) fn too_deep(&mut self, at: Span) -> bool {
        let deep = self.busy.len() >= DEEPEST;
        if deep {
            let message = format!("this needs definitions that need others, {DEEPEST} deep");
            self.report(crate::codes::OutOfRange { message, at });
        }
        deep
    }

    /// Whether `let`s and chains use each other so often that the value would never end: said once, and not followed.
    pub(crate) fn too_often(&mut self, at: Span) -> bool {
        // Lists that are too long were reported.
        if self.held > MOST_HELD {
            return true;
        }
        // A use that stands in an item itself costs what its line costs.
        if self.ctx.used_at.is_none() {
            return false;
        }
        self.followed = self.followed.saturating_add(1);
        if self.followed == MOST_FOLLOWED {
            let message = format!("definitions use each other more than {MOST_FOLLOWED} times");
            self.report(crate::codes::OutOfRange { message, at });
        }
        self.followed >= MOST_FOLLOWED
    }

    /// A parameter of a chain or the name of a comprehension.
    pub(crate) fn local(&self, name: &str) -> Option<Val> {
        self.ctx.locals.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.clone())
    }

    /// The set of names that a type asks for.
    fn choices(ty: &Ty) -> Option<&'static llmp_stdlib::Choices> {
        match ty {
            Ty::Choice(set) => Some(set),
            Ty::Optional(ty) => Self::choices(ty),
            Ty::OneOf(types) => types.iter().find_map(Self::choices),
            _ => None,
        }
    }

    /// A name where `ty` is expected.
    pub(crate) fn name(&mut self, name: &str, ty: &Ty, at: Span) -> Val {
        if let Some(set) = Self::choices(ty)
            && set.values.iter().any(|(value, _)| *value == name)
        {
            self.hidden(name, set.name, at);
            return Val::Known(Value::Choice(name.to_owned()));
        }
        if let Some(local) = self.local(name) {
            return local.and_then(|value| self.coerce(value, ty, at));
        }
        match self.lookup(name, at) {
            Some(Def::Let(target)) => match self.typed_let(&target, at) {
                Some(value) => value.and_then(|value| self.coerce(value, ty, at)),
                None => self.plain_let(&target, ty.show(), at, |c, expr| c.check(expr, ty)),
            },
            Some(Def::Param(target)) => self.param(&target).and_then(|value| self.coerce(value, ty, at)),
            Some(Def::Item(item)) => self.whole_item(item, at).and_then(|value| self.coerce(value, ty, at)),
            Some(Def::Bound(value)) => self.coerce(value, ty, at),
            Some(Def::Template(name)) => self.not_one(&name, at),
            Some(Def::Broken) => Val::Error,
            Some(Def::Variant | Def::Space(_)) => self.unknown_name("value", name, at),
            None => self.not_a_value(name, ty, at),
        }
    }

    /// A name that only a set of names can give a meaning.
    fn not_defined(&mut self, name: &str, ty: &Ty, at: Span) -> Val {
        match Self::choices(ty) {
            Some(set) if set.values.iter().any(|(value, _)| *value == name) => {
                Val::Known(Value::Choice(name.to_owned()))
            }
            _ => self.unknown_name("value", name, at),
        }
    }

    fn hidden(&mut self, name: &str, set: &str, at: Span) {
        let Some(unit) = self.ctx.scope else { return };
        if let Some((_, definition)) = self.names.get(unit, name) {
            let meaning = format!("the {set} `{name}`");
            self.report(HidesBuiltIn { name: name.to_owned(), meaning, at, definition: *definition });
        }
    }

    /// An item as a value; a preset is none.
    pub(crate) fn whole_item(&mut self, item: String, at: Span) -> Val {
        if let Some(decl) = self.names.decls.get(&item).filter(|decl| decl.has("preset")) {
            let kind = decl.kind.signature.name;
            let (expected, found) = (format!("a {kind}"), format!("the preset `{item}`"));
            let diag = Diag::from(crate::codes::Mismatch { expected, found, at });
            self.report(diag.help(format!("a preset is copied: `{kind} … like {item} {{ … }}`")));
            return Val::Error;
        }
        Val::Known(Value::Item(ItemRef { item, part: None }))
    }

    /// The value of a `let` that states its type.
    pub(crate) fn typed_let(&mut self, name: &str, at: Span) -> Option<Val> {
        let LetRef { scope, ty, .. } = self.names.lets.get(name).copied()?;
        let ty = ty?;
        let value = self.in_let(name, at, |c, expr| c.typed(ty, scope, |c, ty| c.check(expr, ty), expr.span));
        Some(self.held(value, at))
    }

    /// Counts the elements that a use of a `let` copies: lists of lists double with each step. Said once.
    fn held(&mut self, value: Val, at: Span) -> Val {
        let Val::Known(Value::List(_) | Value::Record(_)) = &value else { return value };
        let before = self.held;
        if let Val::Known(value) = &value {
            self.held = self.held.saturating_add(elements(value));
        }
        if self.held <= MOST_HELD {
            return value;
        }
        if before <= MOST_HELD {
            let message = format!("lists may have {MOST_HELD} elements together, not more");
            self.report(crate::codes::OutOfRange { message, at });
        }
        Val::Error
    }

    /// Looks at a value of which only a part is kept: its elements do not count.
    pub(crate) fn in_passing<T>(&mut self, look: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.held;
        let result = look(self);
        if self.held <= MOST_HELD {
            self.held = before;
        }
        result
    }

    /// A name that is neither defined nor one of the expected values.
    fn not_a_value(&mut self, name: &str, ty: &Ty, at: Span) -> Val {
        if let Ty::OneOf(types) = ty {
            for ty in *types {
                let (value, said) = self.silently(|c| c.not_defined(name, ty, at));
                if said.is_empty() && value != Val::Error {
                    return value;
                }
            }
        }
        let ty = if let Ty::Optional(inner) = ty { *inner } else { ty };
        if let (Ty::Choice(_), Some(set)) = (ty, Self::choices(ty)) {
            let values: Vec<&str> = set.values.iter().map(|(value, _)| *value).collect();
            let diag = Diag::from(NotAllowed { value: name.to_owned(), allowed: values.join(" | "), at });
            let unit = self.ctx.scope.unwrap_or(usize::MAX);
            let near = nearest(name, values.iter().copied().chain(self.names.known(unit)));
            self.report(suggest(diag, near, at));
            return Val::Error;
        }
        if let Ty::Family(family) = ty {
            if let Some(signature) = family.get(name) {
                let diag = Diag::from(UnknownName { what: "value".into(), name: name.to_owned(), at })
                    .help(format!("`{name}` is a {}: write `{name}({})`", family.name, required(signature)));
                let fillable = signature.params.iter().all(|p| p.default.is_some());
                self.report(if fillable {
                    diag.fix(format!("write `{name}()`"), at, format!("{name}()"))
                } else {
                    diag
                });
                return Val::Error;
            }
            let names: Vec<&str> = family.members.iter().map(|m| m.name).collect();
            let diag = Diag::from(NotAllowed { value: name.to_owned(), allowed: names.join(" | "), at });
            let scope = self.ctx.scope.unwrap_or(usize::MAX);
            let near = nearest(name, names.iter().copied().chain(self.names.known(scope)));
            self.report(suggest(diag, near, at));
            return Val::Error;
        }
        // One of several types takes names: `rest` in a mixture.
        if let Some(set) = Self::choices(ty) {
            let scope = self.ctx.scope.unwrap_or(usize::MAX);
            let values = set.values.iter().map(|(value, _)| *value);
            let near = nearest(name, values.chain(self.names.known(scope)));
            let diag = Diag::from(UnknownName { what: "value".into(), name: name.to_owned(), at });
            self.report(suggest(diag, near, at));
            return Val::Error;
        }
        self.unknown_name("value", name, at)
    }

    /// Reports a name that nothing defines.
    pub(crate) fn unknown_name(&mut self, what: &str, name: &str, at: Span) -> Val {
        if let "hf" | "external" = name
            && matches!(what, "constructor" | "step")
        {
            self.report(NotAvailable { what: format!("`{name}(…)`"), at });
            return Val::Error;
        }
        let diag = Diag::from(UnknownName { what: what.to_owned(), name: name.to_owned(), at });
        let steps = || self.registry.all_steps().map(|s| s.name);
        let constructors = || self.registry.all_families().flat_map(|f| f.members.iter().map(|m| m.name));
        let unit = self.ctx.scope.unwrap_or(usize::MAX);
        let near = match what {
            "step" => nearest(name, steps().chain(self.chains(unit))),
            "constructor" => nearest(name, constructors().chain(steps()).chain(["unpublished", "about"])),
            "function" => nearest(name, self.registry.all_functions().map(|f| f.name)),
            _ => {
                let locals = self.ctx.locals.iter().map(|(n, _)| n.as_str());
                nearest(name, self.names.known(unit).chain(locals))
            }
        };
        let diag = suggest(diag, near, at);
        self.report(diag);
        Val::Error
    }

    fn chains(&self, unit: usize) -> impl Iterator<Item = &str> {
        let is_chain = move |name: &&str| match self.names.get(unit, name) {
            Some((Def::Item(item), _)) => {
                self.names.decls.get(item).is_some_and(|d| d.kind.yields == llmp_stdlib::Yields::Chain)
            }
            _ => false,
        };
        self.names.known(unit).filter(is_chain)
    }

    /// The value of a `let` for an expected type. Numbers, texts and the like are computed once.
    pub(crate) fn plain_let(
        &mut self,
        name: &str,
        ty: String,
        at: Span,
        look: impl FnOnce(&mut Self, &'a llmp_grammar::ast::Expr) -> Val,
    ) -> Val {
        let key = (name.to_owned(), ty);
        if let Some(value) = self.plain.get(&key) {
            return value.clone();
        }
        let before = self.diags.len();
        let value = self.in_let(name, at, look);
        let value = self.held(value, at);
        let plain = matches!(
            value,
            Val::Known(Value::Number(_) | Value::Bool(_) | Value::Text(_) | Value::Choice(_) | Value::None)
        );
        if plain && self.diags.len() == before && self.ctx.row.is_none() && !self.percent {
            self.plain.insert(key, value.clone());
        }
        value
    }

    /// Looks at the value of a `let` in its own file, as if it stood at the place of use.
    pub(crate) fn in_let<T: From<Val>>(
        &mut self,
        name: &str,
        at: Span,
        look: impl FnOnce(&mut Self, &'a llmp_grammar::ast::Expr) -> T,
    ) -> T {
        let Some(LetRef { scope, value, .. }) = self.names.lets.get(name).copied() else {
            return Val::Error.into();
        };
        if self.busy.contains(name) || self.too_deep(at) || self.too_often(at) {
            return Val::Error.into();
        }
        self.busy.insert(name.to_owned());
        let node = name.to_owned();
        let result = self.within(
            |ctx| {
                ctx.scope = Some(scope);
                ctx.locals.clear();
                ctx.node = node;
                ctx.used_at = Some(ctx.used_at.unwrap_or(at));
            },
            |c| look(c, value),
        );
        self.busy.remove(name);
        result
    }
}

/// How many values a value holds, itself included; long texts count as several.
fn elements(value: &Value) -> usize {
    match value {
        Value::List(items) => items.iter().map(elements).fold(1, usize::saturating_add),
        Value::Record(record) => record.values().map(elements).fold(1, usize::saturating_add),
        Value::Text(text) => 1 + text.len() / 64,
        _ => 1,
    }
}

fn required(signature: &llmp_stdlib::Signature) -> String {
    let names: Vec<String> =
        signature.params.iter().filter(|p| p.default.is_none()).map(|p| format!("{} = …", p.name)).collect();
    names.join(", ")
}
