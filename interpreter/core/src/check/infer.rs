//! Values without an expected type: in checks, lets, arithmetic and field reads.

use llmp_grammar::Span;
use llmp_grammar::ast::{BinaryOp, Expr, ExprKind, Ident, TextPart, UnaryOp};
use llmp_stdlib::{ItemRef, Quantity, Record, Ty, Value, Yields};

use super::coerce::all;
use super::{Checker, Val};
use crate::codes::{BadOperator, BranchesDiffer, NotAvailable, UnitsDiffer};
use crate::resolve::Def;

impl<'a> Checker<'a> {
    /// Computes a value by its own form.
    pub(crate) fn infer(&mut self, expr: &Expr) -> Val {
        // Only what a formula can be made of: a condition or a text is taken apart by its own form.
        let able = matches!(
            expr.kind,
            ExprKind::List(_) | ExprKind::Unary { .. } | ExprKind::Binary { .. } | ExprKind::Chained { .. }
        );
        if able && has_column(expr) {
            return self.formula_value(expr);
        }
        match &expr.kind {
            ExprKind::Error => Val::Error,
            ExprKind::Number(written) => match self.quantity(written, expr.span) {
                Some(q) => Val::Known(Value::Number(q)),
                None => Val::Error,
            },
            ExprKind::Text(text) => self.text(text),
            ExprKind::Bool(b) => Val::Known(Value::Bool(*b)),
            ExprKind::None => Val::Known(Value::None),
            ExprKind::Name(name) => self.infer_name(name, expr.span),
            ExprKind::Column(_) => self.formula_value(expr),
            ExprKind::List(items) => {
                let values = items.iter().map(|item| self.infer(item)).collect();
                all(values, Value::List)
            }
            ExprKind::Record(block) => {
                let names: Vec<String> =
                    block.members.iter().map(|m| super::layers::path_of(&m.target).join(".")).collect();
                let values = block.members.iter().map(|m| self.infer(&m.value)).collect();
                all(values, |values| Value::Record(names.into_iter().zip(values).collect::<Record>()))
            }
            ExprKind::Call { callee, args, .. } if callee.as_name() == Some("unpublished") => {
                self.marked(expr, args, |c, e| c.infer(e))
            }
            ExprKind::Call { callee, args, .. } if callee.as_name() == Some("about") => {
                self.inferred_about(expr, args)
            }
            ExprKind::Call { .. } | ExprKind::With { .. } => self.infer_call(expr),
            ExprKind::Field { base, name } => self.field(base, name),
            ExprKind::Index { base, index } => match self.group(base) {
                Some(group) => self.group_index(group, index, expr.span),
                None => self.index(base, index),
            },
            ExprKind::Unary { op, operand, .. } => self.unary(*op, operand, expr.span),
            ExprKind::Binary { op, left, right, .. } => self.binary(*op, left, right, expr),
            ExprKind::Chained { .. } => {
                self.report(chained(expr));
                Val::Error
            }
            ExprKind::If { condition, then, otherwise } => self.infer_branch(condition, then, otherwise),
            ExprKind::Comprehension(list) => self.comprehension(list, |c, e| c.infer(e)),
        }
    }

    fn infer_branch(&mut self, condition: &Expr, then: &Expr, otherwise: &Expr) -> Val {
        let mut sides: Vec<(Val, Span)> = Vec::new();
        let value = self.branch(condition, then, otherwise, |c, e| {
            let value = c.infer(e);
            sides.push((value.clone(), e.span));
            value
        });
        if let [(Val::Known(a), first), (Val::Known(b), second)] = sides.as_slice() {
            let same = std::mem::discriminant(a) == std::mem::discriminant(b)
                || *a == Value::None
                || *b == Value::None;
            if !same {
                let (then, otherwise) = (self.describe(a), self.describe(b));
                self.report(BranchesDiffer { then, otherwise, at: *second, other: *first });
                return Val::Error;
            }
        }
        value
    }

    pub(crate) fn infer_name(&mut self, name: &str, at: Span) -> Val {
        if let Some(local) = self.local(name) {
            return local;
        }
        match self.lookup(name, at) {
            Some(Def::Let(target)) => match self.typed_let(&target, at) {
                Some(value) => value,
                None => self.plain_let(&target, String::new(), at, |c, expr| c.infer(expr)),
            },
            Some(Def::Param(target)) => self.param(&target),
            Some(Def::Item(item)) => self.whole_item(item, at),
            Some(Def::Bound(value)) => Val::Known(value),
            Some(Def::Template(name)) => self.not_one(&name, at),
            Some(Def::Broken) => Val::Error,
            Some(Def::Variant | Def::Space(_)) => self.unknown_name("value", name, at),
            None if self.is_choice(name) => Val::Known(Value::Choice(name.to_owned())),
            None => self.unknown_name("value", name, at),
        }
    }

    /// Whether any member or argument takes this name.
    fn is_choice(&self, name: &str) -> bool {
        let kinds = self.registry.all_kinds().map(|k| k.signature);
        let members = self.registry.all_families().flat_map(|f| f.members.iter().copied());
        let mut params = kinds.chain(self.registry.all_steps()).chain(members).flat_map(|s| s.params);
        params.any(|p| takes(&p.ty, name))
    }

    fn infer_call(&mut self, expr: &Expr) -> Val {
        let Some(parts) = super::call::parts(expr) else { return Val::Error };
        let Some(name) = self.callee(parts.callee) else { return self.not_callable(parts.callee) };
        if self.registry.function(&name).is_some() {
            return self.formula_value(expr);
        }
        if name == "file" {
            return self.file_text(&parts);
        }
        if self.is_data_call(&name) {
            return self.data(expr).0;
        }
        let found = self.registry.constructors(&name);
        match found.as_slice() {
            [] if self.registry.step(&name).is_some() || self.is_chain(&name) => self.chain(expr),
            [] => self.unknown_name("constructor", &name, parts.callee.span),
            [(family, _), ..] => self.construct(expr, family),
        }
    }

    /// `file("prompt.txt")`: the text of a file of the project, beside the file that names it.
    fn file_text(&mut self, parts: &super::call::Parts<'_>) -> Val {
        let written = match parts.given.as_slice() {
            [one] if one.name.is_none() => one.value.as_text().map(|path| (path, one.at)),
            _ => None,
        };
        let Some((path, at)) = written else {
            let message = "`file` takes the path of a text file, as text".to_owned();
            self.report(crate::codes::BadArgument { message, at: parts.callee.span });
            return Val::Error;
        };
        let unit =
            self.ctx.scope.and_then(|scope| self.names.unit(scope)).and_then(|u| self.loaded.units.get(u));
        let target = crate::load::join(unit.map_or("", |u| crate::load::folder(&u.path)), path);
        if let Some(text) = self.loaded.texts.get(&target) {
            return Val::Known(Value::Text(text.clone()));
        }
        if crate::load::inside(&self.loaded.root, &target) {
            self.report(crate::codes::FileNotFound { path: path.to_string(), at });
        } else {
            self.report(crate::codes::LeavesProject { path: path.to_string(), at });
        }
        Val::Error
    }

    /// `base.name`
    pub(crate) fn field(&mut self, base: &Expr, name: &Ident) -> Val {
        if let Some(space) = base.as_name()
            && self.local(space).is_none()
            && let Some((Def::Space(_), _)) = self.ctx.scope.and_then(|scope| self.names.get(scope, space))
            && let Some(Def::Space(unit)) = self.lookup(space, base.span)
        {
            return self.within(|ctx| ctx.scope = Some(unit), |c| c.infer_name(&name.text, name.span));
        }
        if let Some(group) = self.group(base) {
            return self.group_field(group, base, name);
        }
        match self.in_passing(|c| c.infer(base)) {
            Val::Known(Value::Item(ItemRef { item, part: None })) => self.item_field(&item, name),
            Val::Known(Value::Record(record)) => match record.get(&name.text) {
                Some(value) => Val::Known(value.clone()),
                None => {
                    self.no_member(
                        "the record".into(),
                        &name.text,
                        name.span,
                        record.keys().map(String::as_str),
                    );
                    Val::Error
                }
            },
            Val::Known(Value::Call(call)) => match call.args.get(&name.text) {
                Some(value) => Val::Known(value.clone()),
                None => {
                    let owner = format!("`{}`", call.name);
                    self.no_member(owner, &name.text, name.span, call.args.keys().map(String::as_str));
                    Val::Error
                }
            },
            Val::Known(value) => {
                let owner = self.describe(&value);
                self.no_member(owner, &name.text, name.span, []);
                Val::Error
            }
            other => other,
        }
    }

    /// A part, a field of the kind, or a member of an item.
    fn item_field(&mut self, item: &str, name: &Ident) -> Val {
        if !self.item(item) {
            return Val::Error;
        }
        let Some(found) = self.items.0.get(item) else { return Val::Error };
        let kind = found.kind;
        if found.row.as_ref().is_some_and(|row| row.parts.contains(&name.text.as_str())) {
            return Val::Known(Value::Item(ItemRef { item: item.to_owned(), part: Some(name.text.clone()) }));
        }
        if let Some(field) = kind.fields.iter().find(|f| f.name == name.text) {
            self.deeply(item);
            let Some(found) = self.items.0.get(item) else { return Val::Error };
            let value = (field.read)(&found.view(&self.items));
            return value.map_or(if found.complete { Val::Unknown } else { Val::Error }, Val::Known);
        }
        if let Some(value) = found.members.get(&name.text) {
            return Val::Known(value.clone());
        }
        if let Some(known) = self.lineage_field(item, &name.text) {
            return known;
        }
        let Some(found) = self.items.0.get(item) else { return Val::Error };
        if let Some(Value::Call(call)) = &found.value
            && let Some(value) = call.args.get(&name.text)
        {
            return Val::Known(value.clone());
        }
        if kind.signature.param(&name.text).is_some() {
            return if found.complete { Val::Unknown } else { Val::Error };
        }
        if let (true, Some(Value::Call(call))) = (found.complete, &found.value)
            && let Some(known) = self.source_field(call, &name.text)
        {
            return known;
        }
        if !found.complete || (kind.yields == Yields::Data && name.text == "documents") {
            // Counts of documents are facts of the run.
            return if found.complete { Val::Unknown } else { Val::Error };
        }
        let mut has: Vec<&str> = kind.fields.iter().map(|f| f.name).collect();
        has.extend(found.members.keys().map(String::as_str));
        has.extend(found.row.iter().flat_map(|row| row.parts.iter().copied()));
        if let Some(Value::Call(call)) = &found.value {
            has.extend(call.args.keys().map(String::as_str));
        }
        let has: Vec<String> = has.into_iter().map(str::to_owned).collect();
        let owner = format!("the {} `{item}`", kind.signature.name);
        self.no_member(owner, &name.text, name.span, has.iter().map(String::as_str));
        Val::Error
    }

    /// Evaluates an item and all that it mentions: fields look through references.
    pub(crate) fn deeply(&mut self, item: &str) {
        let mut open = vec![item.to_owned()];
        while let Some(name) = open.pop() {
            // An item that is still being evaluated may come to need more.
            if !self.busy.contains(&name) && self.deep.insert(name.clone()) {
                self.item(&name);
                open.extend(self.mentions.get(&name).into_iter().flat_map(|to| to.keys().cloned()));
            }
        }
    }

    fn index(&mut self, base: &Expr, index: &Expr) -> Val {
        let list = self.in_passing(|c| c.infer(base));
        match (list, self.infer(index)) {
            (Val::Known(Value::List(items)), Val::Known(Value::Number(q))) => {
                let value = llmp_stdlib::number::to_u64(q.amount)
                    .and_then(|n| items.get(usize::try_from(n).ok()?).cloned());
                match value {
                    Some(value) => Val::Known(value),
                    None => {
                        let message = format!(
                            "a list of {} elements has none at {} (the first is 0)",
                            items.len(),
                            q.show()
                        );
                        self.report(crate::codes::OutOfRange { message, at: index.span });
                        Val::Error
                    }
                }
            }
            (Val::Error, _) | (_, Val::Error) => Val::Error,
            (Val::Known(base_value), Val::Known(_)) => {
                let message = format!("{} has no elements", self.describe(&base_value));
                self.report(BadOperator { message, at: base.span });
                Val::Error
            }
            _ => Val::Unknown,
        }
    }

    fn unary(&mut self, op: UnaryOp, operand: &Expr, at: Span) -> Val {
        match (op, self.infer(operand)) {
            (UnaryOp::Neg, Val::Known(Value::Number(q))) => {
                Val::Known(Value::Number(Quantity::new(-q.amount, q.dim)))
            }
            (UnaryOp::Not, Val::Known(Value::Bool(b))) => Val::Known(Value::Bool(!b)),
            (_, Val::Known(value)) => {
                let message = format!("`{}` has no meaning for {}", op.symbol(), self.describe(&value));
                self.report(BadOperator { message, at });
                Val::Error
            }
            (_, other) => other,
        }
    }

    fn binary(&mut self, op: BinaryOp, left: &Expr, right: &Expr, expr: &Expr) -> Val {
        if op == BinaryOp::Pipe {
            return if self.starts_chain(left) { self.chain(expr) } else { self.data(expr).0 };
        }
        let (l, r) = match op {
            BinaryOp::In => self.in_passing(|c| (c.infer(left), c.infer(right))),
            _ => (self.infer(left), self.infer(right)),
        };
        match op {
            BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod => {
                self.arithmetic(op, l, r, expr.span)
            }
            BinaryOp::Range => all(vec![l, r], |mut ends| {
                let high = ends.pop().unwrap_or(Value::None);
                let low = ends.pop().unwrap_or(Value::None);
                Value::Range(Box::new(low), Box::new(high))
            }),
            BinaryOp::And | BinaryOp::Or => self.logic(op, l, r, expr.span),
            _ => self.compare(op, l, r, expr.span),
        }
    }

    /// Three values: what is not known may not matter.
    fn logic(&mut self, op: BinaryOp, left: Val, right: Val, at: Span) -> Val {
        let decides = op == BinaryOp::Or;
        for side in [&left, &right] {
            match side {
                Val::Known(Value::Bool(_)) | Val::Unknown => {}
                Val::Error => return Val::Error,
                Val::Known(value) => {
                    let message =
                        format!("`{}` works on true and false, not on {}", op.symbol(), self.describe(value));
                    self.report(BadOperator { message, at });
                    return Val::Error;
                }
            }
        }
        match (left, right) {
            (Val::Known(Value::Bool(b)), _) | (_, Val::Known(Value::Bool(b))) if b == decides => {
                Val::Known(Value::Bool(decides))
            }
            (Val::Known(_), Val::Known(_)) => Val::Known(Value::Bool(!decides)),
            _ => Val::Unknown,
        }
    }

    fn compare(&mut self, op: BinaryOp, left: Val, right: Val, at: Span) -> Val {
        let (l, r) = match (left, right) {
            (Val::Known(l), Val::Known(r)) => (l, r),
            (Val::Error, _) | (_, Val::Error) => return Val::Error,
            _ => return Val::Unknown,
        };
        if let Some(truth) = self.compare_estimates(op, &l, &r, at) {
            return truth;
        }
        let truth = match (op, &l, &r) {
            (BinaryOp::In, item, Value::List(items)) => items.iter().any(|other| same(item, other)),
            (BinaryOp::In, Value::Number(q), Value::Range(low, high)) => match (&**low, &**high) {
                (Value::Number(low), Value::Number(high)) => {
                    let Some(q) = self.common(q, low, at) else { return Val::Error };
                    low.amount <= q && q <= high.amount
                }
                _ => return self.no_order(op, &l, &r, at),
            },
            (BinaryOp::Eq | BinaryOp::Ne, Value::Number(a), Value::Number(b)) => {
                let Some(a) = self.common(a, b, at) else { return Val::Error };
                (a == b.amount) == (op == BinaryOp::Eq)
            }
            (BinaryOp::Eq, ..) => same(&l, &r),
            (BinaryOp::Ne, ..) => !same(&l, &r),
            (_, Value::Number(a), Value::Number(b)) => {
                let Some(a) = self.common(a, b, at) else { return Val::Error };
                match op {
                    BinaryOp::Lt => a < b.amount,
                    BinaryOp::Le => a <= b.amount,
                    BinaryOp::Gt => a > b.amount,
                    _ => a >= b.amount,
                }
            }
            _ => return self.no_order(op, &l, &r, at),
        };
        Val::Known(Value::Bool(truth))
    }

    fn no_order(&mut self, op: BinaryOp, left: &Value, right: &Value, at: Span) -> Val {
        if *left == Value::None || *right == Value::None {
            self.report(crate::codes::OptionalUsed { expected: "a number".into(), at });
            return Val::Error;
        }
        let message =
            format!("`{}` cannot compare {} and {}", op.symbol(), self.describe(left), self.describe(right));
        self.report(BadOperator { message, at });
        Val::Error
    }

    /// Amounts that can be compared: equal dimensions, or a plain number beside one with a unit.
    pub(crate) fn common(&mut self, a: &Quantity, b: &Quantity, at: Span) -> Option<llmp_stdlib::Rational> {
        let plain = llmp_stdlib::Dim::NONE;
        if a.dim == b.dim || a.dim == plain || b.dim == plain {
            return Some(a.amount);
        }
        self.report(UnitsDiffer {
            left: a.dim.show(),
            right: b.dim.show(),
            operator: "comparison".into(),
            at,
        });
        None
    }

    /// Each element of a list with its name bound, those that the condition takes.
    pub(crate) fn comprehension(
        &mut self,
        list: &llmp_grammar::ast::Comprehension,
        mut look: impl FnMut(&mut Self, &Expr) -> Val,
    ) -> Val {
        let items = match self.in_passing(|c| c.infer(&list.list)) {
            Val::Known(value) => match self.elements(value, list.list.span) {
                Some(items) => items,
                None => return Val::Error,
            },
            other => return other,
        };
        if let Some(scope) = self.ctx.scope
            && let Some((_, definition)) = self.names.get(scope, &list.var.text).cloned()
        {
            let meaning = "the element of the list".to_owned();
            let name = list.var.text.clone();
            self.report(crate::codes::HidesBuiltIn { name, meaning, at: list.var.span, definition });
        }
        let before = self.made;
        let fits = self.count(items.len(), list.list.span);
        let mut values = Vec::new();
        for item in if fits { items } else { Vec::new() } {
            self.ctx.path.push(values.len().to_string());
            self.ctx.locals.push((list.var.text.clone(), Val::Known(item)));
            let taken = list.condition.as_ref().map(|condition| self.check(condition, &Ty::Bool));
            values.extend(match taken {
                Some(Val::Known(Value::Bool(false))) => None,
                Some(Val::Error) => Some(Val::Error),
                Some(Val::Unknown) => Some(Val::Unknown),
                _ => Some(look(self, &list.value)),
            });
            self.ctx.locals.pop();
            self.ctx.path.pop();
            if self.too_many() {
                break;
            }
        }
        let fits = fits && !self.too_many();
        if self.ctx.locals.is_empty() {
            // Lists inside of lists count together; one after the other they do not.
            self.made = before;
        }
        if fits { all(values, Value::List) } else { Val::Error }
    }

    pub(crate) fn not_yet(&mut self, what: &str, at: Span) -> Val {
        self.report(NotAvailable { what: what.to_owned(), at });
        Val::Error
    }
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Text(a) | Value::Choice(a), Value::Text(b) | Value::Choice(b)) => a == b,
        (Value::Number(a), Value::Number(b)) => a.amount == b.amount,
        _ => a == b,
    }
}

fn takes(ty: &llmp_stdlib::Ty, name: &str) -> bool {
    use llmp_stdlib::Ty;
    match ty {
        Ty::Choice(set) => set.values.iter().any(|(v, _)| *v == name),
        Ty::Optional(ty) | Ty::List(ty) | Ty::Map(ty) | Ty::Range(ty) => takes(ty, name),
        Ty::OneOf(types) => types.iter().any(|ty| takes(ty, name)),
        Ty::Record(fields) => fields.iter().any(|f| takes(&f.ty, name)),
        _ => false,
    }
}

/// Chained comparison, said with what was probably meant.
pub(crate) fn chained(expr: &Expr) -> llmp_grammar::Diag {
    let ExprKind::Chained { ops, .. } = &expr.kind else {
        return BadOperator { message: "operators are chained".into(), at: expr.span }.into();
    };
    let words: Vec<&str> = ops.iter().map(|(op, _)| op.symbol()).collect();
    let diag: llmp_grammar::Diag =
        BadOperator { message: format!("`{}` cannot be chained", words.join("` and `")), at: expr.span }
            .into();
    diag.help("write `low <= x and x <= high`, or `x in low..high` with both ends included")
}

/// Whether a value reads a column of the row at hand.
pub(crate) fn has_column(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Column(_) => true,
        ExprKind::List(items) => items.iter().any(has_column),
        ExprKind::Unary { operand, .. } => has_column(operand),
        ExprKind::Binary { op, left, right, .. } => {
            *op != BinaryOp::Pipe && (has_column(left) || has_column(right))
        }
        ExprKind::Chained { operands, .. } => operands.iter().any(has_column),
        ExprKind::Call { callee, args, .. } => {
            callee.as_name().is_some() && args.iter().any(|a| has_column(&a.value))
        }
        ExprKind::If { condition, then, otherwise } => {
            has_column(condition) || has_column(then) || has_column(otherwise)
        }
        ExprKind::Text(text) => text.parts.iter().any(|p| matches!(p, TextPart::Value(e) if has_column(e))),
        _ => false,
    }
}
