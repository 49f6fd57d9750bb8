//! Values against the types of their places.

use llmp_grammar::Span;
use llmp_grammar::ast::{BinaryOp, Block, Expr, ExprKind, Text, TextPart, UnaryOp};
use llmp_stdlib::{Record, Ty, Value, Yields};

use super::{Checker, Val};
use crate::codes::{Mismatch, OptionalUsed, UnknownMember};
use crate::load::{folder, join};
use crate::program::{Insert, Meaning, Place};
use crate::resolve::suggest;

/// Levels of values with several possible types inside each other that are not counted.
const FREE_LEVELS: usize = 4;

/// Most tries of alternatives below these levels.
const MOST_TRIES: usize = 2_000;

/// Most bytes of a text that is put together.
const LONGEST: usize = 1 << 20;

impl<'a> Checker<'a> {
    /// Checks a value against the type of its place and computes it.
    pub(crate) fn check(&mut self, expr: &Expr, ty: &Ty) -> Val {
        self.place(expr.span, None);
        let value = self.check_form(expr, ty);
        if let Val::Known(value) = &value {
            self.mean(expr.span, || Meaning::Value(value.clone()));
        }
        value
    }

    /// Remembers where the value at the current path stands; the outermost place counts.
    pub(crate) fn place(&mut self, value: Span, insert: Option<(Span, Insert)>) {
        if self.ctx.scope.is_none() {
            return;
        }
        // What stands there already is left alone: a change copies the places that a try may have to go back to.
        if self.places.get(&self.ctx.path).is_some_and(|known| known.insert.is_some() || insert.is_none()) {
            return;
        }
        let places = std::rc::Rc::make_mut(&mut self.places);
        let place = places.entry(self.ctx.path.clone()).or_insert(Place { value, insert });
        if place.insert.is_none() {
            place.insert = insert;
        }
    }

    fn check_form(&mut self, expr: &Expr, ty: &Ty) -> Val {
        match (&expr.kind, ty) {
            (ExprKind::Error, _) => Val::Error,
            (ExprKind::Name(name), _) => self.name(name, ty, expr.span),
            (ExprKind::If { condition, then, otherwise }, _) => {
                self.branch(condition, then, otherwise, |c, e| c.check(e, ty))
            }
            (ExprKind::Call { callee, args, .. }, _) if callee.as_name() == Some("unpublished") => {
                self.marked(expr, args, |c, e| c.check(e, ty))
            }
            (ExprKind::Call { callee, args, .. }, _)
                if callee.as_name() == Some("about") && !matches!(ty, Ty::Optional(_) | Ty::OneOf(_)) =>
            {
                self.about(expr, args, ty)
            }
            (ExprKind::Number(_) | ExprKind::Unary { .. }, Ty::Estimate(dims)) => {
                self.numeric(expr, &Ty::Quantity(dims))
            }
            (ExprKind::None, Ty::Optional(_)) => Val::Known(Value::None),
            (_, Ty::Optional(inner)) => self.check(expr, inner),
            (_, Ty::OneOf(types)) => self.one_of(expr, types, ty),
            (_, Ty::Predicate) => self.predicate(expr),
            (_, Ty::Formula) => self.row_number(expr),
            (ExprKind::Text(text), Ty::Text | Ty::Path) => {
                let path = matches!(ty, Ty::Path);
                self.text(text).and_then(|value| if path { self.path(value) } else { Val::Known(value) })
            }
            (ExprKind::List(items), Ty::List(inner)) => self.list(items, inner),
            (ExprKind::Comprehension(list), Ty::List(inner)) => {
                self.comprehension(list, |c, e| c.check(e, inner))
            }
            (ExprKind::Binary { op: BinaryOp::Range, left, right, .. }, Ty::Range(inner)) => {
                match (self.check(left, inner), self.check(right, inner)) {
                    (Val::Known(low), Val::Known(high)) => {
                        Val::Known(Value::Range(Box::new(low), Box::new(high)))
                    }
                    (Val::Error, _) | (_, Val::Error) => Val::Error,
                    _ => Val::Unknown,
                }
            }
            (ExprKind::Record(block), Ty::Record(fields)) => self.fields(expr.span, block, fields),
            (ExprKind::Record(block), Ty::Map(inner)) => self.map(block, inner),
            (ExprKind::Call { .. } | ExprKind::With { .. }, Ty::Family(family)) => {
                self.construct(expr, family)
            }
            (ExprKind::Call { .. } | ExprKind::With { .. }, Ty::Item(yields)) => {
                self.item_call(expr, yields, ty)
            }
            (ExprKind::Binary { op: BinaryOp::Pipe, .. }, Ty::Item(yields))
                if yields.contains(&Yields::Chain) =>
            {
                self.chain(expr)
            }
            (
                ExprKind::Call { .. } | ExprKind::With { .. } | ExprKind::Binary { op: BinaryOp::Pipe, .. },
                Ty::Data(_),
            ) => {
                let at = expr.span;
                self.data(expr).0.and_then(|value| self.coerce(value, ty, at))
            }
            (ExprKind::Number(_), Ty::Int | Ty::Num | Ty::Quantity(_)) => self.numeric(expr, ty),
            (ExprKind::Unary { op: UnaryOp::Neg, .. }, Ty::Int | Ty::Num | Ty::Quantity(_)) => {
                self.numeric(expr, ty)
            }
            (ExprKind::Binary { op: BinaryOp::Add | BinaryOp::Sub, .. }, Ty::Num | Ty::Quantity(_)) => {
                self.numeric(expr, ty)
            }
            _ => {
                let at = expr.span;
                self.infer(expr).and_then(|value| self.coerce(value, ty, at))
            }
        }
    }

    /// Both branches are checked, one is taken.
    pub(crate) fn branch(
        &mut self,
        condition: &Expr,
        then: &Expr,
        otherwise: &Expr,
        mut look: impl FnMut(&mut Self, &Expr) -> Val,
    ) -> Val {
        let condition = self.check(condition, &Ty::Bool);
        let mut side = |c: &mut Self, expr: &Expr, taken: bool| {
            let before = c.diags.len();
            let value = look(c, expr);
            // `if x == none then 4 else x`: the other side is not for this case.
            let said = if taken { Vec::new() } else { c.diags.split_off(before) };
            let (absent, other): (Vec<_>, Vec<_>) = said.into_iter().partition(|d| d.code == "LLMP0211");
            let excused = !absent.is_empty() && !other.iter().any(llmp_grammar::Diag::is_error);
            c.diags.extend(other);
            if excused { Val::Unknown } else { value }
        };
        let then = side(self, then, condition != Val::Known(Value::Bool(false)));
        let otherwise = side(self, otherwise, condition != Val::Known(Value::Bool(true)));
        if then == Val::Error || otherwise == Val::Error {
            return Val::Error;
        }
        match condition {
            Val::Known(Value::Bool(true)) => then,
            Val::Known(Value::Bool(false)) => otherwise,
            Val::Error => Val::Error,
            _ => Val::Unknown,
        }
    }

    /// The alternatives in order; the first that fits. Each level of nesting multiplies the tries, so they are counted.
    fn one_of(&mut self, expr: &Expr, types: &[Ty], whole: &Ty) -> Val {
        self.choosing += 1;
        self.tries += usize::from(self.choosing > FREE_LEVELS);
        if self.tries == MOST_TRIES {
            let message = "values nest so deeply here that their types cannot be told".to_owned();
            self.report(crate::codes::OutOfRange { message, at: expr.span });
        }
        let value = if self.tries < MOST_TRIES { self.first_of(expr, types, whole) } else { Val::Error };
        self.choosing -= 1;
        value
    }

    fn first_of(&mut self, expr: &Expr, types: &[Ty], whole: &Ty) -> Val {
        // A pipe or a step is data or a chain: where one alternative takes these, nothing has to be tried.
        if self.is_pipe(expr) {
            let mut able = types.iter().filter(|ty| takes_pipe(ty));
            match (able.next(), able.next()) {
                (Some(only), None) => return self.check(expr, only),
                (None, _) => return self.infer(expr).and_then(|value| self.coerce(value, whole, expr.span)),
                (Some(_), Some(_)) => {}
            }
        }
        let mut failures = Vec::new();
        for ty in types {
            let (value, said) = self.silently(|c| c.check(expr, ty));
            if !said.iter().any(llmp_grammar::Diag::is_error) && value != Val::Error {
                self.diags.extend(said);
                return value;
            }
            failures.push(said);
        }
        // An alternative whose form fits has something more exact to say than "expected this or that".
        let callee = super::call::parts(expr).map(|parts| parts.callee.span);
        let outer = |d: &llmp_grammar::Diag| {
            let whole = matches!(d.code, "LLMP0201" | "LLMP0104") && d.span() == Some(expr.span);
            whole || (d.code == "LLMP0201" && callee.is_some() && d.span() == callee)
        };
        let inner: Vec<_> =
            failures.into_iter().filter(|said| !said.is_empty() && !said.iter().any(outer)).collect();
        match inner.into_iter().next() {
            Some(said) => self.diags.extend(said),
            None => {
                let (value, said) = self.silently(|c| c.infer(expr));
                match value {
                    Val::Error => self.diags.extend(said),
                    Val::Known(value) => self.mismatch(whole, &value, expr.span),
                    Val::Unknown => return Val::Unknown,
                }
            }
        }
        Val::Error
    }

    /// Whether a value can be nothing but data or a chain: a pipe, or a step that is no constructor besides.
    fn is_pipe(&self, expr: &Expr) -> bool {
        let step =
            |name: &str| self.registry.step(name).is_some() && self.registry.constructors(name).is_empty();
        match &expr.kind {
            ExprKind::Binary { op, .. } => *op == BinaryOp::Pipe,
            _ => super::call::parts(expr).and_then(|p| p.callee.as_name()).is_some_and(step),
        }
    }

    /// Text with its `{…}` filled in.
    pub(crate) fn text(&mut self, text: &Text) -> Val {
        let mut whole = String::new();
        let mut state = Val::Known(Value::None);
        for part in &text.parts {
            match part {
                TextPart::Plain(plain) => whole.push_str(plain),
                TextPart::Value(expr) => match self.infer(expr) {
                    Val::Known(Value::Text(text) | Value::Choice(text)) => whole.push_str(&text),
                    Val::Known(value @ (Value::Number(_) | Value::Bool(_))) => {
                        whole.push_str(&value.to_string())
                    }
                    Val::Known(value) => {
                        self.mismatch(&Ty::Text, &value, expr.span);
                        state = Val::Error;
                    }
                    Val::Unknown if state != Val::Error => state = Val::Unknown,
                    Val::Unknown => {}
                    Val::Error => state = Val::Error,
                },
            }
            if whole.len() > LONGEST {
                let at = if let TextPart::Value(expr) = part { expr.span } else { Span::default() };
                self.report(crate::codes::OutOfRange { message: "a text has at most 1 MiB".into(), at });
                return Val::Error;
            }
        }
        if matches!(state, Val::Known(_)) { Val::Known(Value::Text(whole)) } else { state }
    }

    /// Paths are kept relative to the main file's folder, wherever they were written.
    fn path(&self, value: Value) -> Val {
        let (Value::Text(text), Some(scope)) = (&value, self.ctx.scope) else { return Val::Known(value) };
        let unit = self.names.unit(scope).and_then(|unit| self.loaded.units.get(unit));
        let here = unit.map_or("", |u| folder(&u.path));
        let main = self.loaded.units.first().map_or("", |u| folder(&u.path));
        let rooted =
            text.starts_with('/') || text.split_once(':').is_some_and(|(root, _)| !root.contains('/'));
        if here == main || rooted {
            return Val::Known(value);
        }
        let from_root = join(here, text);
        let relative = from_root.strip_prefix(&format!("{main}/")).map(str::to_owned);
        let up = "../".repeat(if main.is_empty() { 0 } else { main.split('/').count() });
        Val::Known(Value::Text(relative.unwrap_or_else(|| format!("{up}{from_root}"))))
    }

    fn list(&mut self, items: &[Expr], inner: &Ty) -> Val {
        let mut values = Vec::new();
        let mut state = Val::Unknown;
        for (index, item) in items.iter().enumerate() {
            self.ctx.path.push(index.to_string());
            match self.check(item, inner) {
                Val::Known(value) => values.push(value),
                Val::Unknown => {}
                Val::Error => state = Val::Error,
            }
            self.ctx.path.pop();
        }
        if values.len() == items.len() { Val::Known(Value::List(values)) } else { state }
    }

    fn fields(&mut self, at: Span, block: &Block, fields: &'static [llmp_stdlib::Param]) -> Val {
        let given = Self::block_args(block);
        let (record, state) = self.arguments("the record", fields, given, at, block.broken, true);
        state.and_then(|_| Val::Known(Value::Record(record)))
    }

    fn map(&mut self, block: &Block, inner: &Ty) -> Val {
        let mut record = Record::new();
        let inside = block.span.start.saturating_add(1);
        let lines = self.loaded.sources.slice(block.span).contains('\n');
        self.place(
            block.span,
            Some(match block.members.last() {
                Some(last) => (last.span.after(), if lines { Insert::Line } else { Insert::Comma }),
                None => (Span { start: inside, end: inside, ..block.span }, Insert::First),
            }),
        );
        let mut state = if block.broken { Val::Error } else { Val::Known(Value::None) };
        for member in &block.members {
            let key = super::layers::path_of(&member.target).join(".");
            self.ctx.path.push(key.clone());
            match self.check(&member.value, inner) {
                Val::Known(value) => {
                    record.insert(key, value);
                }
                Val::Unknown if state != Val::Error => state = Val::Unknown,
                Val::Unknown => {}
                Val::Error => state = Val::Error,
            }
            self.ctx.path.pop();
        }
        state.and_then(|_| Val::Known(Value::Record(record)))
    }

    /// A value marked by `unpublished(value, "why")` is the value itself.
    pub(crate) fn marked(
        &mut self,
        expr: &Expr,
        args: &[llmp_grammar::ast::Arg],
        mut look: impl FnMut(&mut Self, &Expr) -> Val,
    ) -> Val {
        let Some(first) = self.marks("unpublished", args, 2, expr.span) else { return Val::Error };
        let value = look(self, first);
        let why = match args.get(1) {
            Some(why) => match self.check(&why.value, &Ty::Text) {
                Val::Known(Value::Text(text)) => text,
                _ => return Val::Error,
            },
            None => String::new(),
        };
        self.unpublished.push(crate::program::Note { at: expr.span, why });
        value
    }

    /// The value that a call of `name` marks.
    pub(crate) fn marks<'e>(
        &mut self,
        name: &str,
        args: &'e [llmp_grammar::ast::Arg],
        most: usize,
        at: Span,
    ) -> Option<&'e Expr> {
        if let Some(extra) = args.get(most) {
            self.report(crate::codes::TooManyArguments {
                callee: name.to_owned(),
                most: most.to_string(),
                at: extra.span,
            });
            return None;
        }
        if args.is_empty() {
            let message = format!("`{name}` takes the value that it marks");
            self.report(crate::codes::BadArgument { message, at });
        }
        args.first().map(|first| &first.value)
    }

    /// Reports a value of the wrong type.
    pub(crate) fn mismatch(&mut self, ty: &Ty, value: &Value, at: Span) {
        let found = self.describe(value);
        let read = self.ctx.scope.is_some() && self.loaded.sources.slice(at) != "none";
        let diag: llmp_grammar::Diag = Mismatch { expected: ty.show(), found, at }.into();
        match value {
            Value::None if read => self.report(OptionalUsed { expected: ty.show(), at }),
            Value::About(_) => self.report(diag.help(super::estimate::WHERE)),
            _ => self.report(diag),
        }
    }

    /// A value in words.
    pub(crate) fn describe(&self, value: &Value) -> String {
        match value {
            Value::None => "none".into(),
            Value::Bool(b) => format!("`{b}`"),
            Value::Number(q) if q.dim == llmp_stdlib::Dim::NONE => format!("the number {}", q.show()),
            Value::Number(q) => q.show(),
            Value::About(e) => format!("the estimate {e}"),
            Value::Text(t) => format!("the text {t:?}"),
            Value::Choice(c) => format!("`{c}`"),
            Value::List(_) => "a list".into(),
            Value::Range(..) => "a range".into(),
            Value::Record(_) => "a record".into(),
            Value::Call(call) => format!("`{}(…)`", call.name),
            Value::Formula(_) => "an expression over columns".into(),
            Value::Pipe(..) => "data".into(),
            Value::Item(item) => {
                let kind = self.names.decls.get(&item.item).map_or("item", |d| d.kind.signature.name);
                format!("the {kind} `{value}`")
            }
            Value::Port(_) | Value::Input(_) => "a step".into(),
        }
    }

    /// Reports a member that its owner lacks, with the nearest that it has.
    pub(crate) fn no_member<'n>(
        &mut self,
        owner: String,
        name: &str,
        at: Span,
        has: impl IntoIterator<Item = &'n str>,
    ) {
        let has: Vec<&str> = has.into_iter().collect();
        let near = llmp_grammar::nearest(name, has.iter().copied());
        let diag: llmp_grammar::Diag = UnknownMember { owner, name: name.to_owned(), at }.into();
        let diag = if has.is_empty() { diag } else { diag.note(format!("there are: {}", has.join(", "))) };
        self.report(suggest(diag, near, at));
    }
}

fn takes_pipe(ty: &Ty) -> bool {
    match ty {
        Ty::Data(_) | Ty::Item(_) => true,
        Ty::Optional(inner) => takes_pipe(inner),
        Ty::OneOf(types) => types.iter().any(takes_pipe),
        _ => false,
    }
}
