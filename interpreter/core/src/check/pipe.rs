//! Data: heads, steps and chains; the state and the columns between them.

use llmp_grammar::ast::{BinaryOp, Body, Expr, ExprKind};
use llmp_grammar::{Diag, Span};
use llmp_stdlib::{Call, Column, Flow, Record, Signature, State, Ty, Value, Yields};

use super::call::{Given, Parts, parts};
use super::rows::{anything, data_args, flow_on, source_row};
use super::{Checker, Val};
use crate::codes::{BadArgument, ElementsDiffer, Mismatch, NotAStep, UnknownColumn, WrongState};
use crate::program::{Meaning, Row};
use crate::resolve::{Def, suggest};

/// A pipe as its head and its steps.
pub(crate) fn flatten(expr: &Expr) -> (&Expr, Vec<&Expr>) {
    let mut steps = Vec::new();
    let mut head = expr;
    while let ExprKind::Binary { op: BinaryOp::Pipe, left, right, .. } = &head.kind {
        steps.push(&**right);
        head = left;
    }
    steps.reverse();
    (head, steps)
}

impl<'a> Checker<'a> {
    /// Data: a head, and steps after it.
    pub(crate) fn data(&mut self, expr: &Expr) -> (Val, Row) {
        let (head, steps) = flatten(expr);
        let mut source = head.span;
        let (head, mut row) = self.head(head);
        let mut calls = Vec::new();
        let mut state = head.clone().and_then(|_| Val::Known(Value::None));
        for step in steps {
            self.mean(step.span.before(), || Meaning::Data(row.clone()));
            match self.step(step, &mut row, source) {
                Ok(more) => calls.extend(more),
                Err(Val::Error) => state = Val::Error,
                Err(_) if state != Val::Error => state = Val::Unknown,
                Err(_) => {}
            }
            source = step.span;
        }
        let value = match (state, head) {
            (Val::Known(_), Val::Known(head)) if calls.is_empty() => Val::Known(head),
            (Val::Known(_), Val::Known(Value::Pipe(first, mut before))) => {
                before.extend(calls);
                Val::Known(Value::Pipe(first, before))
            }
            (Val::Known(_), Val::Known(head)) => Val::Known(Value::Pipe(Box::new(head), calls)),
            (state, _) => state,
        };
        (value, row)
    }

    fn head(&mut self, head: &Expr) -> (Val, Row) {
        if let Some(parts) = parts(head)
            && parts.callee.as_name() == Some("all")
            && self.source("all").is_none()
        {
            let (value, row) = self.all_of(&parts, head.span);
            return (value, row.unwrap_or_else(anything));
        }
        if let Some(parts) = parts(head)
            && let Some(name) = self.callee(parts.callee)
            && !matches!(name.as_str(), "unpublished" | "about")
        {
            if let Some(signature) = self.source(&name) {
                self.mean(parts.callee.span, || Meaning::BuiltIn(signature));
                let value = self.call(signature, parts);
                if let Val::Known(Value::Call(call)) = &value {
                    self.same_states(signature, call, head.span);
                }
                let row = if let Val::Known(value) = &value { self.row_of(value) } else { None };
                return (value, row.unwrap_or_else(anything));
            }
            if self.registry.step(&name).is_some() || self.is_chain(&name) {
                let found = format!("the step `{name}`");
                let diag = Diag::from(Mismatch { expected: "data".into(), found, at: head.span });
                self.report(diag.help(format!("a step stands behind data: `source |> {name}(…)`")));
                return (Val::Error, anything());
            }
            return (self.unknown_name("constructor", &name, parts.callee.span), anything());
        }
        let value = self.infer(head);
        let row = match &value {
            Val::Known(value) => match self.row_of(value) {
                Some(row) => Some(row),
                None if self.wrong_item(value) => None,
                None => {
                    let found = self.describe(value);
                    self.report(Mismatch { expected: "data".into(), found, at: head.span });
                    return (Val::Error, anything());
                }
            },
            _ => None,
        };
        match row {
            Some(row) => (value, row),
            None => (if matches!(value, Val::Known(_)) { Val::Error } else { value }, anything()),
        }
    }

    /// Data items without a row were reported where they are defined.
    pub(crate) fn wrong_item(&self, value: &Value) -> bool {
        let Value::Item(item) = value else { return false };
        self.names.decls.get(&item.item).is_some_and(|d| d.kind.yields == Yields::Data)
    }

    /// A constructor of data.
    pub(crate) fn source(&self, name: &str) -> Option<&'static Signature> {
        let makes = |s: &&'static Signature| s.flow.is_some_and(|flow| flow.is_source());
        let step = self.registry.step(name).filter(makes);
        step.or_else(|| self.registry.constructors(name).into_iter().map(|(_, s)| s).find(makes))
    }

    /// Whether a call of this name gives data.
    pub(crate) fn is_data_call(&self, name: &str) -> bool {
        name == "all" || self.source(name).is_some()
    }

    /// Whether a pipe begins with a step: then it is a chain.
    pub(crate) fn starts_chain(&self, expr: &Expr) -> bool {
        let (head, _) = flatten(expr);
        let name =
            parts(head).and_then(|p| self.callee(p.callee)).or_else(|| head.as_name().map(str::to_owned));
        name.is_some_and(|name| {
            self.source(&name).is_none() && (self.registry.step(&name).is_some() || self.is_chain(&name))
        })
    }

    /// Data that are joined are in one state.
    pub(crate) fn same_states(&mut self, signature: &'static Signature, call: &Call, at: Span) {
        let mut first: Option<(State, Span)> = None;
        for (name, index, value) in data_args(signature, &call.args) {
            let mut path = self.ctx.path.clone();
            path.push(name.to_owned());
            path.extend(index.map(|i| i.to_string()));
            let place = self.places.get(&path).map_or(at, |p| p.value);
            let Some(state) = self.row_of(value).and_then(|row| row.state) else { continue };
            match first {
                None => first = Some((state, place)),
                Some((known, against)) if known != state => {
                    let facts = ElementsDiffer {
                        first: known.show().into(),
                        other: state.show().into(),
                        at: place,
                        against,
                    };
                    self.report(facts);
                    return;
                }
                Some(_) => {}
            }
        }
    }

    /// The type of data; `None` for what is not data, or is wrong in itself.
    pub(crate) fn row_of(&mut self, value: &Value) -> Option<Row> {
        match value {
            Value::Item(item) => {
                if self.names.decls.get(&item.item)?.kind.yields != Yields::Data || !self.item(&item.item) {
                    return None;
                }
                let mut row = self.items.0.get(&item.item)?.row.clone()?;
                if item.part.is_some() {
                    row.parts = &[];
                }
                Some(row)
            }
            Value::Call(call) => {
                let signature = self.source(&call.name)?;
                let flow = signature.flow?;
                let mut rows = Vec::new();
                for (_, _, value) in data_args(signature, &call.args) {
                    rows.push(self.row_of(value)?);
                }
                let row = source_row(signature, flow, &call.args, rows);
                Some(self.locked_row(call, row))
            }
            Value::Pipe(head, calls) => {
                let mut row = self.row_of(head)?;
                for call in calls {
                    let signature = self.registry.step(&call.name)?;
                    flow_on(&mut row, signature.flow?, &call.args);
                }
                Some(row)
            }
            _ => None,
        }
    }

    /// One step of a pipe: a call, a chain, or something that is none.
    fn step(&mut self, expr: &Expr, row: &mut Row, source: Span) -> Result<Vec<Call>, Val> {
        if expr.is_error() {
            *row = anything();
            return Err(Val::Error);
        }
        let Some(parts) = parts(expr) else { return self.named_step(expr, row, source) };
        if let ExprKind::Field { .. } = &parts.callee.kind {
            return self.space_step(parts.callee, parts.given, row, source);
        }
        let Some(name) = self.callee(parts.callee) else {
            *row = anything();
            return Err(self.not_callable(parts.callee));
        };
        if self.is_chain(&name) && self.registry.step(&name).is_none() {
            return match self.lookup(&name, parts.callee.span) {
                Some(Def::Item(item)) => self.chain_step(&item, parts.given, row, expr.span, source),
                _ => Err(Val::Error),
            };
        }
        match self.registry.step(&name).filter(|s| s.flow.is_some_and(|f| !f.is_source())) {
            Some(signature) => self.apply(signature, parts, row, expr.span, source),
            None => {
                *row = anything();
                let at = parts.callee.span;
                if self.source(&name).is_some() || !self.registry.constructors(&name).is_empty() {
                    self.report(NotAStep { found: format!("`{name}(…)`"), at });
                    return Err(Val::Error);
                }
                Err(self.unknown_name("step", &name, at))
            }
        }
    }

    /// A step without brackets: a chain by its name.
    fn named_step(&mut self, expr: &Expr, row: &mut Row, source: Span) -> Result<Vec<Call>, Val> {
        let at = expr.span;
        if let ExprKind::Field { .. } = &expr.kind {
            return self.space_step(expr, Vec::new(), row, source);
        }
        let Some(name) = expr.as_name() else {
            let value = self.infer(expr);
            if let Val::Known(Value::Item(item)) = &value
                && self.names.decls.get(&item.item).is_some_and(|d| d.kind.yields == Yields::Chain)
            {
                let item = item.item.clone();
                return self.chain_step(&item, Vec::new(), row, at, source);
            }
            *row = anything();
            if let Val::Known(value) = &value {
                let found = self.describe(value);
                self.report(NotAStep { found, at });
            }
            return Err(Val::Error);
        };
        match self.lookup(name, at) {
            Some(Def::Item(item))
                if self.names.decls.get(&item).is_some_and(|d| d.kind.yields == Yields::Chain) =>
            {
                self.chain_step(&item, Vec::new(), row, at, source)
            }
            Some(Def::Let(target)) => {
                let mut inner = row.clone();
                let result = self.in_let(&target, at, |c, expr| c.steps(expr, &mut inner, source));
                *row = inner;
                result.0
            }
            Some(Def::Broken) => {
                *row = anything();
                Err(Val::Error)
            }
            Some(_) => {
                *row = anything();
                self.report(NotAStep { found: format!("`{name}`"), at });
                Err(Val::Error)
            }
            None if self.registry.step(name).is_some() => {
                *row = anything();
                let diag = Diag::from(NotAStep { found: format!("the name `{name}`"), at });
                self.report(diag.help("a step is called").fix(
                    format!("write `{name}()`"),
                    at,
                    format!("{name}()"),
                ));
                Err(Val::Error)
            }
            None => {
                *row = anything();
                Err(self.unknown_name("step", name, at))
            }
        }
    }

    /// `file.chain`, from `use file from …`.
    fn space_step(
        &mut self,
        callee: &Expr,
        given: Vec<Given<'_>>,
        row: &mut Row,
        source: Span,
    ) -> Result<Vec<Call>, Val> {
        if let ExprKind::Field { base, name } = &callee.kind
            && let Some(space) = base.as_name()
            && let Some(Def::Space(unit)) = self.lookup(space, base.span)
        {
            let def = self.within(|ctx| ctx.scope = Some(unit), |c| c.lookup(&name.text, name.span));
            if let Some(Def::Item(item)) = &def
                && self.names.decls.get(item).is_some_and(|d| d.kind.yields == Yields::Chain)
            {
                return self.chain_step(item, given, row, callee.span, source);
            }
            if def.is_none() {
                self.within(|ctx| ctx.scope = Some(unit), |c| c.unknown_name("name", &name.text, name.span));
                *row = anything();
                return Err(Val::Error);
            }
        }
        *row = anything();
        self.report(NotAStep { found: "a value".into(), at: callee.span });
        Err(Val::Error)
    }

    /// A chain, its steps put in its place.
    fn chain_step(
        &mut self,
        name: &str,
        given: Vec<Given<'_>>,
        row: &mut Row,
        at: Span,
        source: Span,
    ) -> Result<Vec<Call>, Val> {
        self.mention(name, at);
        if self.too_often(at) || !self.item(name) {
            *row = anything();
            return Err(Val::Error);
        }
        let Some(decl) = self.names.decls.get(name).copied() else { return Err(Val::Error) };
        let takes = self.items.0.get(name).and_then(|item| item.takes);
        let Body::Value(body) = &decl.decl.body else {
            *row = anything();
            return Err(Val::Error);
        };
        if let (Some(needs), Some(gets)) = (takes, row.state)
            && needs != gets
        {
            self.wrong_state(name, &[needs], gets, at, source);
            *row = anything();
            return Err(Val::Error);
        }
        let (locals, state) = self.bind(name, decl.scope, &decl.decl.params, given, at);
        let mut inner = row.clone();
        let (unit, node) = (decl.scope, name.to_owned());
        let result = self.within(
            |ctx| {
                ctx.scope = Some(unit);
                ctx.locals = locals;
                ctx.node = node;
                ctx.used_at = Some(ctx.used_at.unwrap_or(at));
                ctx.overrides = std::rc::Rc::default();
            },
            |c| c.steps(body, &mut inner, source).0,
        );
        *row = inner;
        if state == Val::Error { Err(Val::Error) } else { result }
    }

    /// Parameters of a chain and their values at a use.
    fn bind(
        &mut self,
        name: &str,
        unit: usize,
        params: &'a [llmp_grammar::ast::Param],
        given: Vec<Given<'_>>,
        at: Span,
    ) -> (Vec<(String, Val)>, Val) {
        let mut state = Val::Known(Value::None);
        let mut slots: Vec<Option<&Expr>> = vec![None; params.len()];
        let mut position = 0;
        for arg in &given {
            let index = match arg.name {
                Some(named) => params.iter().position(|p| p.name.text == named.text),
                None => {
                    position += 1;
                    Some(position - 1).filter(|i| *i < params.len())
                }
            };
            match index.and_then(|i| slots.get_mut(i)) {
                Some(slot) if slot.is_none() => *slot = Some(arg.value),
                Some(_) => {
                    self.report(BadArgument {
                        message: format!("`{name}` is given this argument twice"),
                        at: arg.at,
                    });
                    state = Val::Error;
                }
                None => {
                    let written = arg.name.map_or_else(String::new, |n| format!(" `{}`", n.text));
                    let diag: Diag =
                        BadArgument { message: format!("`{name}` has no argument{written}"), at: arg.at }
                            .into();
                    let near = arg.name.and_then(|n| {
                        llmp_grammar::nearest(&n.text, params.iter().map(|p| p.name.text.as_str()))
                    });
                    let place = arg.name.map_or(arg.at, |n| n.span);
                    self.report(suggest(diag, near, place));
                    state = Val::Error;
                }
            }
        }
        let mut locals = Vec::new();
        for (param, slot) in params.iter().zip(slots) {
            let value = match (slot, &param.default) {
                (Some(expr), _) => self.typed(&param.ty, unit, |c, ty| c.check(expr, ty), at),
                (None, Some(default)) => {
                    let look = |c: &mut Self, ty: &Ty| {
                        c.within(|ctx| ctx.scope = Some(unit), |c| c.check(default, ty))
                    };
                    self.typed(&param.ty, unit, look, at)
                }
                (None, None) => {
                    self.report(BadArgument {
                        message: format!("`{name}` needs the argument `{}`", param.name.text),
                        at,
                    });
                    Val::Error
                }
            };
            if value == Val::Error {
                state = Val::Error;
            }
            locals.push((param.name.text.clone(), value));
        }
        (locals, state)
    }

    /// All steps of a pipe without a head.
    fn steps(&mut self, expr: &Expr, row: &mut Row, source: Span) -> Steps {
        let (head, rest) = flatten(expr);
        let mut calls = Vec::new();
        let mut state = Val::Known(Value::None);
        for step in std::iter::once(head).chain(rest) {
            self.mean(step.span.before(), || Meaning::Data(row.clone()));
            match self.step(step, row, source) {
                Ok(more) => calls.extend(more),
                Err(Val::Error) => state = Val::Error,
                Err(_) if state != Val::Error => state = Val::Unknown,
                Err(_) => {}
            }
        }
        Steps(if matches!(state, Val::Known(_)) { Ok(calls) } else { Err(state) })
    }

    /// A chain as a value: its steps, with nothing known about what comes in.
    pub(crate) fn chain(&mut self, expr: &Expr) -> Val {
        self.chain_row(expr).0
    }

    /// A chain, what it takes and what comes out.
    pub(crate) fn chain_row(&mut self, expr: &Expr) -> (Val, Option<State>, Row) {
        let mut row = anything();
        let outer = self.takes.take();
        let value = match self.steps(expr, &mut row, expr.span).0 {
            Ok(calls) => Val::Known(Value::List(calls.into_iter().map(Value::Call).collect())),
            Err(state) => state,
        };
        let takes = self.takes.take();
        self.takes = outer;
        (value, takes, row)
    }

    /// A built-in step.
    fn apply(
        &mut self,
        signature: &'static Signature,
        mut parts: Parts<'_>,
        row: &mut Row,
        at: Span,
        source: Span,
    ) -> Result<Vec<Call>, Val> {
        let Some(flow) = signature.flow else { return Err(Val::Error) };
        self.mean(parts.callee.span, || Meaning::BuiltIn(signature));
        let extra = self.common_arguments(signature, &mut parts);
        let off = extra.as_ref().is_ok_and(|(on, _)| !on);
        let fits = self.enter(signature, flow, row, parts.callee.span, source);
        let callee = format!("`{}`", signature.name);
        let name = parts.callee.span;
        // Columns of rows that the step cannot take are not judged.
        row.quiet |= !fits;
        let here = std::rc::Rc::new(row.clone());
        // Steps of one pipe may have arguments of the same name: each has a path of its own.
        self.ctx.path.push(format!("step {}", at.start));
        self.open_call(at, &parts);
        let given = std::mem::take(&mut parts.given);
        let (args, state) = self.within(
            |ctx| {
                ctx.row = Some(here);
                ctx.off |= off;
                ctx.step = Some(at);
            },
            |c| c.arguments(&callee, signature.params, given, name, parts.broken, false),
        );
        self.needs(signature, flow, &args, row, name, off, at);
        let before = row.columns.clone();
        flow_on(row, flow, &args);
        if !fits {
            // One mistake is said once: what follows is not judged by a state that was never reached.
            row.state = None;
        }
        if off {
            let added: Vec<_> = row
                .columns
                .iter()
                .filter(|(k, _)| !before.contains_key(*k))
                .map(|(k, v)| (k.clone(), *v))
                .collect();
            row.off.extend(added);
            row.columns = before;
        }
        let checked = state.and_then(|_| self.complete(signature, args, name));
        self.ctx.path.pop();
        match (checked, extra, fits) {
            (Val::Known(Value::Call(mut call)), Ok((on, extra)), true) => {
                call.args.extend(extra);
                Ok(if on { vec![call] } else { Vec::new() })
            }
            (Val::Unknown, Ok(_), true) => Err(Val::Unknown),
            _ => Err(Val::Error),
        }
    }

    /// `when` and `rejects`, which every step takes.
    fn common_arguments(
        &mut self,
        signature: &Signature,
        parts: &mut Parts<'_>,
    ) -> Result<(bool, Record), Val> {
        let mut on = Ok(true);
        let mut extra = Record::new();
        let mut wrong = None;
        let given = std::mem::take(&mut parts.given);
        for arg in given {
            let name = arg.name.map(|n| n.text.as_str()).filter(|n| signature.param(n).is_none());
            let looked = match name {
                Some("when") => {
                    let value = self.check(arg.value, &Ty::Bool);
                    if let Val::Known(Value::Bool(b)) = value {
                        on = Ok(b);
                    }
                    value
                }
                Some("rejects") => {
                    let value = self.check(arg.value, &Ty::Path);
                    if let Val::Known(path) = &value {
                        extra.insert("rejects".into(), path.clone());
                    }
                    value
                }
                _ => {
                    parts.given.push(arg);
                    continue;
                }
            };
            if !matches!(looked, Val::Known(_)) {
                wrong = Some(looked);
            }
        }
        match wrong {
            Some(wrong) => Err(wrong),
            None => on.map(|on| (on, extra)),
        }
    }

    /// The state that the step takes against the one that it is given.
    fn enter(&mut self, signature: &Signature, flow: Flow, row: &mut Row, at: Span, source: Span) -> bool {
        match (row.state, flow.from) {
            (Some(gets), takes) if !takes.contains(&gets) => {
                self.wrong_state(signature.name, takes, gets, at, source);
                false
            }
            // A step that takes several states leaves open which one a chain begins with.
            (None, [only]) => {
                if self.takes.is_none() {
                    self.takes = Some(*only);
                }
                row.state = row.state.or(Some(*only));
                true
            }
            _ => true,
        }
    }

    fn wrong_state(&mut self, step: &str, needs: &[State], gets: State, at: Span, source: Span) {
        let facts = WrongState {
            step: step.to_owned(),
            needs: needs.iter().map(|s| s.show()).collect::<Vec<_>>().join(" or "),
            gets: gets.show().into(),
            at,
            source: Some(source),
        };
        let diag = match needs.iter().find_map(|to| self.bridge(gets, *to)) {
            Some(bridge) => Diag::from(facts).help(format!("insert `{bridge}()`")).fix(
                format!("insert `{bridge}()`"),
                at.before(),
                format!("{bridge}() |> "),
            ),
            None => facts.into(),
        };
        self.report(diag);
    }

    /// A step that leads from one state to another without arguments.
    pub(crate) fn bridge(&self, from: State, to: State) -> Option<&'static str> {
        let leads = |s: &&'static Signature| {
            let free = s.params.iter().all(|p| p.default.is_some());
            let leads =
                |f: Flow| f.from.contains(&from) && f.to.is_some_and(|give| give(&Record::new()) == to);
            free && s.flow.is_some_and(leads)
        };
        self.registry.all_steps().find(leads).map(|s| s.name)
    }

    #[expect(clippy::too_many_arguments, reason = "the facts of one step of a pipe")]
    fn needs(
        &mut self,
        signature: &Signature,
        flow: Flow,
        args: &Record,
        row: &Row,
        at: Span,
        off: bool,
        step: Span,
    ) {
        let here = std::rc::Rc::new(row.clone());
        let named = (flow.reads)(args);
        for column in flow.needs.iter().copied().chain(named.iter().map(String::as_str)) {
            self.within(
                |ctx| {
                    ctx.row = Some(std::rc::Rc::clone(&here));
                    ctx.off |= off;
                    ctx.step = Some(step);
                },
                |c| c.column(column, at, Some(signature.name)),
            );
        }
    }

    /// The type of a column of the rows at hand; `None` when it is wrong or not known.
    pub(crate) fn column(&mut self, name: &str, at: Span, needed_by: Option<&str>) -> Option<Column> {
        let row = self.ctx.row.clone()?;
        if let Some(column) = row.columns.get(name).or(row.off.get(name).filter(|_| self.ctx.off)) {
            return Some(*column);
        }
        if row.quiet {
            return None;
        }
        let mut diag = Diag::from(UnknownColumn { name: name.to_owned(), at });
        if let Some(step) = needed_by {
            diag = diag.note(format!("`{step}` reads `.{name}`"));
        }
        if row.off.contains_key(name) {
            diag = diag.help("the step that adds it is switched off by `when`");
        } else if let Some(step) =
            self.registry.all_steps().find(|s| s.flow.is_some_and(|f| f.adds.iter().any(|a| a.0 == name)))
        {
            diag = diag.help(format!("`{}()` adds it", step.name));
            let free = step.params.iter().all(|p| p.default.is_some());
            let fits = step.flow.is_some_and(|f| row.state.is_some_and(|s| f.from.contains(&s)));
            if let (Some(place), true) = (self.ctx.step, free && fits) {
                diag = diag.fix(
                    format!("insert `{}()`", step.name),
                    place.before(),
                    format!("{}() |> ", step.name),
                );
            }
        } else {
            diag = suggest(diag, None, at);
            if let Some(near) = llmp_grammar::nearest(name, row.columns.keys().map(String::as_str)) {
                diag = diag.help(format!("did you mean `.{near}`?")).fix(
                    format!("write `.{near}`"),
                    at,
                    format!(".{near}"),
                );
            }
        }
        let available: Vec<String> = row.columns.keys().map(|c| format!(".{c}")).collect();
        diag = diag.note(format!("available: {}", available.join(", ")));
        if row.open {
            diag.message = format!("the source does not declare a column `.{name}`");
            diag = diag.severity(llmp_grammar::Severity::Info);
        }
        self.report(diag);
        None
    }
}

/// The steps of a pipe without a head, or why there are none.
pub(crate) struct Steps(Result<Vec<Call>, Val>);

impl From<Val> for Steps {
    fn from(value: Val) -> Steps {
        Steps(Err(value))
    }
}
