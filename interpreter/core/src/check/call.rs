//! Calls: arguments against parameters, defaults, rules over several arguments.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use llmp_grammar::ast::{Arg, Block, Expr, ExprKind, Ident};
use llmp_grammar::{Diag, FileId, Span};
use llmp_stdlib::{Call, Family, Form, Param, Problem, Record, Signature, Ty, Value, Yields};

use super::{Checker, Val};
use crate::codes::{BadArgument, NotAvailable, TooManyArguments};
use crate::program::{Insert, Meaning};
use crate::resolve::{Def, suggest};

/// One argument as written.
pub(crate) struct Given<'e> {
    pub(crate) name: Option<&'e Ident>,
    pub(crate) value: &'e Expr,
    pub(crate) at: Span,
}

/// A call taken apart: `f(args)` and `f { args }` are the same.
pub(crate) struct Parts<'e> {
    pub(crate) callee: &'e Expr,
    pub(crate) given: Vec<Given<'e>>,
    /// The brackets.
    pub(crate) brackets: Span,
    pub(crate) broken: bool,
}

/// What was written for a parameter.
enum Slot<'e> {
    /// Nothing.
    Empty,
    /// One value.
    One(&'e Expr),
    /// Positional arguments of a parameter that takes all of them.
    Many(Vec<&'e Expr>),
}

/// Takes a call apart.
pub(crate) fn parts(expr: &Expr) -> Option<Parts<'_>> {
    match &expr.kind {
        ExprKind::Call { callee, args, args_span } => {
            let given = args
                .iter()
                .map(|Arg { name, value, span }| Given { name: name.as_ref(), value, at: *span })
                .collect();
            Some(Parts { callee, given, brackets: *args_span, broken: false })
        }
        ExprKind::With { base, block } => Some(Parts {
            callee: base,
            given: Checker::block_args(block),
            brackets: block.span,
            broken: block.broken,
        }),
        _ => None,
    }
}

impl<'a> Checker<'a> {
    pub(crate) fn block_args(block: &Block) -> Vec<Given<'_>> {
        let given = |m: &'_ llmp_grammar::ast::Member| m.name().is_some();
        block
            .members
            .iter()
            .filter(|m| given(m))
            .map(|m| Given { name: m.name(), value: &m.value, at: m.span })
            .collect()
    }

    /// A constructor of a family.
    pub(crate) fn construct(&mut self, expr: &Expr, family: &'static Family) -> Val {
        let Some(parts) = parts(expr) else { return Val::Error };
        let Some(name) = self.callee(parts.callee) else {
            return self.not_callable(parts.callee);
        };
        let Some(signature) = family.get(&name) else {
            return self.no_constructor(&name, family, parts.callee.span);
        };
        self.mean(parts.callee.span, || Meaning::BuiltIn(signature));
        self.call(signature, parts)
    }

    fn no_constructor(&mut self, name: &str, family: &'static Family, at: Span) -> Val {
        let names: Vec<&str> = family.members.iter().map(|m| m.name).collect();
        let elsewhere = self.registry.constructors(name).into_iter().map(|(f, _)| f.name).next();
        if let Some(other) = elsewhere.or(self.registry.step(name).map(|_| "data step")) {
            let expected = format!("a {} ({})", family.name, names.join(", "));
            self.report(crate::codes::Mismatch { expected, found: format!("the {other} `{name}`"), at });
            return Val::Error;
        }
        let diag: Diag =
            crate::codes::NotAllowed { value: name.to_owned(), allowed: names.join(" | "), at }.into();
        let marks = ["unpublished", "about"];
        let near = llmp_grammar::nearest(name, names.iter().copied().chain(marks));
        self.report(suggest(diag, near, at));
        Val::Error
    }

    /// The name of what is called.
    pub(crate) fn callee(&self, callee: &Expr) -> Option<String> {
        callee.as_name().map(str::to_owned)
    }

    pub(crate) fn not_callable(&mut self, callee: &Expr) -> Val {
        if !callee.is_error() {
            self.report(NotAvailable { what: "a call of anything but a name".into(), at: callee.span });
        }
        Val::Error
    }

    /// Arguments of a constructor or source.
    pub(crate) fn call(&mut self, signature: &'static Signature, mut parts: Parts<'_>) -> Val {
        let at = parts.callee.span.to(parts.brackets);
        self.open_call(at, &parts);
        let callee = format!("`{}`", signature.name);
        let (attributes, told) = self.attributes(signature, &mut parts);
        let (args, state) =
            self.arguments(&callee, signature.params, parts.given, parts.callee.span, parts.broken, false);
        let value = state.and_then(|_| told).and_then(|_| self.complete(signature, args, at));
        value.and_then(|value| match value {
            Value::Call(mut call) => {
                call.args.extend(attributes);
                Val::Known(Value::Call(call))
            }
            other => Val::Known(other),
        })
    }

    /// Rules over all arguments, once each has its type.
    pub(crate) fn complete(&mut self, signature: &'static Signature, args: Record, at: Span) -> Val {
        let problems = (signature.check)(&args);
        let wrong = problems.iter().any(|p| p.severity == llmp_stdlib::Severity::Error);
        for problem in problems {
            let prefix = self.ctx.path.clone();
            self.problem(problem, &prefix, at);
        }
        if wrong {
            Val::Error
        } else {
            Val::Known(Value::Call(Call { name: signature.name.to_owned(), args }))
        }
    }

    /// A problem at a path below the current one.
    pub(crate) fn problem(&mut self, problem: Problem, prefix: &[String], fallback: Span) {
        let places = std::mem::take(&mut self.places);
        let diag = super::report::place_problem(problem, prefix, &places, fallback);
        self.places = places;
        self.report(diag);
    }

    pub(crate) fn open_call(&mut self, at: Span, parts: &Parts<'_>) {
        let inside = Span {
            start: parts.brackets.end.saturating_sub(1),
            end: parts.brackets.end.saturating_sub(1),
            ..parts.brackets
        };
        let how = match parts.given.last() {
            Some(last) => (last.at.after(), Insert::Comma),
            None => (inside, Insert::First),
        };
        self.place(at, Some(how));
    }

    /// Arguments against parameters. Returns those that are known, and whether all are.
    pub(crate) fn arguments(
        &mut self,
        callee: &str,
        params: &'static [Param],
        given: Vec<Given<'_>>,
        at: Span,
        broken: bool,
        members: bool,
    ) -> (Record, Val) {
        let (slots, mut state) = self.slots(callee, params, given, members);
        let mut args = Record::new();
        for (param, slot) in params.iter().zip(slots) {
            self.ctx.path.push(param.name.to_owned());
            let value = match slot {
                Slot::Many(items) => self.many(&items, param),
                Slot::One(expr) => {
                    self.argument(callee, param, Some(expr), at, broken || state == Val::Error)
                }
                Slot::Empty => self.argument(callee, param, None, at, broken || state == Val::Error),
            };
            self.ctx.path.pop();
            match value {
                Val::Known(value) => {
                    args.insert(param.name.to_owned(), value);
                }
                Val::Unknown if state != Val::Error => state = Val::Unknown,
                Val::Unknown => {}
                Val::Error => state = Val::Error,
            }
        }
        (args, state)
    }

    /// Sorts arguments to their parameters.
    fn slots<'e>(
        &mut self,
        callee: &str,
        params: &'static [Param],
        given: Vec<Given<'e>>,
        members: bool,
    ) -> (Vec<Slot<'e>>, Val) {
        let mut slots: Vec<Slot<'e>> = params.iter().map(|_| Slot::Empty).collect();
        let mut state = Val::Known(Value::None);
        let mut position = 0;
        let written: Vec<&Ident> = given.iter().filter_map(|arg| arg.name).collect();
        for arg in given {
            let index = match arg.name {
                Some(name) => match params.iter().position(|p| p.name == name.text) {
                    Some(index) => index,
                    None if members => {
                        self.no_member(
                            callee.to_owned(),
                            &name.text,
                            name.span,
                            params.iter().map(|p| p.name),
                        );
                        state = Val::Error;
                        continue;
                    }
                    None => {
                        self.unknown_argument(callee, params, &written, name);
                        state = Val::Error;
                        continue;
                    }
                },
                // A list as the first of several is the whole list.
                None if params.get(position).is_some_and(|p| p.many)
                    && !matches!(arg.value.kind, ExprKind::List(_) | ExprKind::Comprehension(_)) =>
                {
                    match &mut slots[position] {
                        Slot::Many(items) => items.push(arg.value),
                        slot => *slot = Slot::Many(vec![arg.value]),
                    }
                    continue;
                }
                None if position < params.len() => {
                    position += 1;
                    position - 1
                }
                None => {
                    let callee = callee.trim_matches('`').to_owned();
                    self.report(TooManyArguments { callee, most: params.len().to_string(), at: arg.at });
                    state = Val::Error;
                    continue;
                }
            };
            if !matches!(slots[index], Slot::Empty) {
                let message = format!("{callee} is given `{}` twice", params[index].name);
                self.report(BadArgument { message, at: arg.at });
                state = Val::Error;
                continue;
            }
            slots[index] = Slot::One(arg.value);
        }
        (slots, state)
    }

    /// Positional arguments that make one list.
    fn many(&mut self, items: &[&Expr], param: &'static Param) -> Val {
        let Ty::List(inner) = param.ty else { return Val::Error };
        let mut values = Vec::new();
        for (index, item) in items.iter().enumerate() {
            self.ctx.path.push(index.to_string());
            values.push(self.check(item, inner));
            self.ctx.path.pop();
        }
        super::coerce::all(values, Value::List)
    }

    fn unknown_argument(&mut self, callee: &str, params: &'static [Param], written: &[&Ident], name: &Ident) {
        let message = format!("{callee} has no argument `{}`", name.text);
        let mut names: Vec<&str> = params.iter().map(|p| p.name).collect();
        if self.source(callee.trim_matches('`')).is_some_and(llmp_stdlib::source::is_reader) {
            names.extend(llmp_stdlib::source::attribute_names());
        }
        let diag: Diag = BadArgument { message, at: name.span }.into();
        let has = if names.is_empty() {
            "it takes no arguments".to_owned()
        } else {
            format!("it takes: {}", names.join(", "))
        };
        // What is given already is hardly meant.
        let free = |known: &&str| !written.iter().any(|name| name.text == *known);
        let near = llmp_grammar::nearest(&name.text, names.iter().copied().filter(free))
            .or_else(|| llmp_grammar::nearest(&name.text, names.iter().copied()));
        self.report(suggest(diag.note(has), near, name.span));
    }

    /// One argument: the strongest layer, what is written, or the default.
    pub(crate) fn argument(
        &mut self,
        callee: &str,
        param: &'static Param,
        slot: Option<&Expr>,
        at: Span,
        quiet: bool,
    ) -> Val {
        let layered = self.ctx.overrides.get(&self.ctx.path).cloned();
        if let Some(layer) = layered {
            Rc::make_mut(&mut self.consumed).insert(self.ctx.path.clone());
            let unit = layer.unit;
            return self.within(
                |ctx| {
                    ctx.scope = Some(unit);
                    ctx.locals.clear();
                    ctx.used_at = None;
                    ctx.binary = param.binary;
                },
                |c| c.check(layer.expr, &param.ty),
            );
        }
        if let Some(expr) = slot {
            return self.within(|ctx| ctx.binary = param.binary, |c| c.check(expr, &param.ty));
        }
        match param.default {
            Some(_) => self.default(param),
            None => {
                if !quiet {
                    let message = format!("{callee} needs the argument `{}`", param.name);
                    let diag: Diag = BadArgument { message, at }.into();
                    self.report(diag.help(format!("`{}`: {}", param.name, param.ty.show())));
                }
                Val::Error
            }
        }
    }

    /// The default of a parameter, as the literal that its declaration holds. Where no stronger layer reaches into it, it
    /// is the same everywhere and computed once.
    pub(crate) fn default(&mut self, param: &'static Param) -> Val {
        thread_local! {
            static KNOWN: RefCell<BTreeMap<usize, Val>> = const { RefCell::new(BTreeMap::new()) };
        }
        let key = std::ptr::from_ref(param).addr();
        let path = &self.ctx.path;
        let below = self.ctx.overrides.range(path.clone()..).map(|(known, _)| known);
        let alone = below.take_while(|known| known.starts_with(path)).all(|known| known.len() == path.len());
        if alone && let Some(value) = KNOWN.with_borrow(|known| known.get(&key).cloned()) {
            return value;
        }
        let Some(expr) = param.default.and_then(literal) else { return Val::Error };
        let before = self.diags.len();
        let value = self.within(
            |ctx| {
                ctx.scope = None;
                ctx.binary = false;
                ctx.locals.clear();
            },
            |c| c.check(&expr, &param.ty),
        );
        if alone && self.diags.len() == before && matches!(value, Val::Known(_)) {
            KNOWN.with_borrow_mut(|known| known.insert(key, value.clone()));
        }
        value
    }

    /// A constructor where an item is expected: `model = hf("…")`, `tokenizer = bpe(…)`; or data.
    pub(crate) fn item_call(&mut self, expr: &Expr, yields: &[Yields], ty: &Ty) -> Val {
        let Some(parts) = parts(expr) else { return Val::Error };
        let Some(name) = self.callee(parts.callee) else { return self.not_callable(parts.callee) };
        if yields.contains(&Yields::Chain) && (self.registry.step(&name).is_some() || self.is_chain(&name)) {
            return self.chain(expr);
        }
        if let Some(family) = self.item_family(yields, &name) {
            return self.construct(expr, family);
        }
        if yields.contains(&Yields::Data) {
            return self.data(expr).0;
        }
        if self.registry.constructors(&name).is_empty() && self.registry.step(&name).is_none() {
            return self.unknown_name("constructor", &name, parts.callee.span);
        }
        let at = parts.callee.span;
        let found = format!("`{name}(…)`");
        self.report(crate::codes::Mismatch { expected: ty.show(), found, at });
        Val::Error
    }

    /// The family of constructors that give an item of this sort.
    pub(crate) fn item_family(&self, yields: &[Yields], name: &str) -> Option<&'static Family> {
        let families = self.registry.all_kinds().filter(|k| yields.contains(&k.yields)).filter_map(|kind| {
            match kind.form {
                Form::Value(ty) | Form::Either(ty) => Some(ty),
                Form::Block | Form::Open(_) => None,
            }
        });
        let stands = |f: &&'static Family| f.yields.is_some_and(|y| yields.contains(&y));
        let standing = self.registry.all_families().filter(stands);
        families.flat_map(families_of).chain(standing).find(|family| family.get(name).is_some())
    }

    pub(crate) fn is_chain(&self, name: &str) -> bool {
        let Some(unit) = self.ctx.scope else { return false };
        match self.names.get(unit, name) {
            Some((Def::Item(item), _)) => {
                self.names.decls.get(item).is_some_and(|d| d.kind.yields == Yields::Chain)
            }
            _ => false,
        }
    }
}

/// The value of a default as the declaration holds it. Declarations do not change, so each is read once.
fn literal(text: &'static str) -> Option<Rc<Expr>> {
    thread_local! {
        static KNOWN: RefCell<BTreeMap<&'static str, Option<Rc<Expr>>>> = const { RefCell::new(BTreeMap::new()) };
    }
    KNOWN.with_borrow_mut(|known| {
        let parsed = known.entry(text).or_insert_with(|| {
            let (expr, sink) = llmp_grammar::parse_expr(FileId(u32::MAX), text);
            expr.filter(|_| !sink.has_errors()).map(Rc::new)
        });
        parsed.clone()
    })
}

/// Families inside a type.
fn families_of(ty: Ty) -> Vec<&'static Family> {
    match ty {
        Ty::Family(family) => vec![family],
        Ty::Optional(ty) => families_of(*ty),
        Ty::OneOf(types) => types.iter().flat_map(|ty| families_of(*ty)).collect(),
        _ => Vec::new(),
    }
}
