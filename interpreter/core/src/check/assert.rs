//! `check condition else "words"`: the conditions that a program sets itself.

use std::collections::BTreeSet;
use std::rc::Rc;

use llmp_grammar::ast::{BinaryOp, Check, Expr, ExprKind, Item, UnaryOp};
use llmp_grammar::{Diag, Severity};
use llmp_stdlib::{Formula, ItemRef, Value};

use super::{Checker, Context, Val};
use crate::codes::{CheckFailed, Mismatch, Undecided};
use crate::program::Guard;
use crate::resolve::Def;

/// The node of a check in the graph of mentions; no definition has a blank in its name.
fn node(index: usize) -> String {
    format!(" check {index}")
}

/// A condition for the run, where it can be one.
struct Shape(Option<Formula>);

impl From<Val> for Shape {
    fn from(_: Val) -> Shape {
        Shape(None)
    }
}

impl<'a> Checker<'a> {
    /// Evaluates every check of the program.
    pub(crate) fn checks(&mut self) {
        let names = Rc::clone(&self.names);
        let mut holding = Vec::new();
        for (index, (scope, item, check)) in names.checks.iter().enumerate() {
            if !self.applies(item) {
                continue;
            }
            self.enter_check(index, *scope);
            let at = check.condition.span;
            match self.infer(&check.condition) {
                Val::Error => {}
                Val::Known(Value::Bool(true)) => holding.push(index),
                Val::Known(Value::Bool(false)) => {
                    let words = match self.text(&check.message) {
                        Val::Known(Value::Text(words)) => words,
                        _ => continue,
                    };
                    let mut diag = Diag::from(CheckFailed { words, at });
                    for note in self.operands(&check.condition) {
                        diag = diag.note(note);
                    }
                    self.report(diag);
                }
                Val::Known(value) => {
                    let found = self.describe(&value);
                    self.report(Mismatch { expected: "a condition".into(), found, at });
                }
                Val::Unknown => {
                    self.guard(check);
                    self.report(Undecided { at });
                }
            }
        }
        self.ends(&holding);
        self.ctx = Context::default();
    }

    fn enter_check(&mut self, index: usize, scope: usize) {
        self.ctx = Context { scope: Some(scope), node: node(index), ..Context::default() };
    }

    /// Checks that hold, against the ends of the ranges of params: other values are allowed too.
    fn ends(&mut self, holding: &[usize]) {
        let names = Rc::clone(&self.names);
        let (loaded, registry) = (self.loaded, self.registry);
        for (name, (_, param)) in &names.params {
            let Some(ExprKind::Binary { op: BinaryOp::Range, left, right, .. }) =
                param.ty.domain.as_ref().map(|domain| &domain.kind)
            else {
                continue;
            };
            let reach: Vec<usize> =
                holding.iter().copied().filter(|index| self.reaches(&node(*index), name)).collect();
            for end in [left, right] {
                let mut sets = self.sets.clone();
                sets.insert(name.clone(), (**end).clone());
                let mut other =
                    Checker::new(loaded, registry, Rc::clone(&names), self.variants.clone(), &sets, vec![]);
                other.targets = self.targets.clone();
                let value = loaded.sources.slice(end.span);
                for index in &reach {
                    let Some((scope, _, check)) = names.checks.get(*index) else { continue };
                    other.enter_check(*index, *scope);
                    if other.infer(&check.condition) == Val::Known(Value::Bool(false))
                        && let Val::Known(Value::Text(words)) = other.text(&check.message)
                    {
                        let mut diag = Diag::from(CheckFailed { words, at: check.condition.span });
                        diag.message = format!("{} (not now, but for `{name} = {value}`)", diag.message);
                        for note in other.operands(&check.condition) {
                            diag = diag.note(note);
                        }
                        let allowed = "the range of the param allows it".to_owned();
                        self.diags.push(diag.label(end.span, allowed).severity(Severity::Warning));
                    }
                }
            }
        }
    }

    /// Whether a definition needs another.
    fn reaches(&self, from: &str, to: &str) -> bool {
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut open: Vec<&str> = vec![from];
        while let Some(name) = open.pop() {
            if name == to {
                return true;
            }
            if seen.insert(name) {
                open.extend(self.mentions.get(name).into_iter().flat_map(|to| to.keys().map(String::as_str)));
            }
        }
        false
    }

    /// Keeps a condition for the run.
    fn guard(&mut self, check: &Check) {
        let written = |at| self.loaded.sources.slice(at).to_owned();
        let (condition, message) = (written(check.condition.span), written(check.message_span));
        let words = match self.silently(|c| c.text(&check.message)).0 {
            Val::Known(Value::Text(words)) => words,
            _ => message.trim_matches('"').to_owned(),
        };
        let mut reads = Vec::new();
        let formula = self.silently(|c| c.shape(&check.condition, &mut reads)).0.0;
        self.guards.push(Guard { condition, words, formula, reads, at: check.condition.span });
    }

    /// A condition with values in place of what is known, and numbered reads, as columns, in place of what is not.
    fn shape(&mut self, expr: &Expr, reads: &mut Vec<(ItemRef, String)>) -> Shape {
        match self.infer(expr) {
            Val::Known(value) if !matches!(value, Value::Item(_)) => return Shape(constant(&value)),
            _ => {}
        }
        let mut of = |c: &mut Self, expr: &Expr| c.shape(expr, reads).0.map(Box::new);
        Shape(match &expr.kind {
            ExprKind::Binary { op, left, right, .. } => {
                let (left, right) = (of(self, left), of(self, right));
                match (super::formula::operator(*op), left, right) {
                    (Some(op), Some(left), Some(right)) => Some(Formula::Binary(op, left, right)),
                    _ => None,
                }
            }
            ExprKind::Unary { op: UnaryOp::Not, operand, .. } => of(self, operand).map(Formula::Not),
            ExprKind::Unary { op: UnaryOp::Neg, operand, .. } => of(self, operand).map(Formula::Negate),
            ExprKind::Field { base, name } => match self.infer(base) {
                Val::Known(Value::Item(item)) => {
                    let read = (item, name.text.clone());
                    let index = reads.iter().position(|known| *known == read).unwrap_or_else(|| {
                        reads.push(read);
                        reads.len() - 1
                    });
                    Some(Formula::Column(index.to_string()))
                }
                _ => None,
            },
            ExprKind::Name(name) => match self.lookup(name, expr.span) {
                Some(Def::Let(target)) => {
                    return self.in_let(&target, expr.span, |c, expr| c.shape(expr, reads));
                }
                _ => None,
            },
            _ => None,
        })
    }

    /// `@only(base, laptop)`: with these variants alone; `base` means without any.
    fn applies(&self, item: &Item) -> bool {
        let mut only = item.attrs.iter().filter(|attr| attr.name.text == "only").peekable();
        if only.peek().is_none() {
            return true;
        }
        only.flat_map(|attr| &attr.args).filter_map(|arg| arg.value.as_name()).any(|name| match name {
            "base" => self.variants.is_empty(),
            name => self.variants.iter().any(|v| v == name),
        })
    }

    /// Values of everything in a condition that is not a literal: `core.tokens = 8000000 tokens`.
    fn operands(&mut self, expr: &Expr) -> Vec<String> {
        let mut notes = Vec::new();
        let mut open = vec![expr];
        while let Some(expr) = open.pop() {
            match &expr.kind {
                ExprKind::Binary { left, right, .. } => open.extend([&**right, &**left]),
                ExprKind::Unary { operand, .. } => open.push(operand),
                ExprKind::Name(_) | ExprKind::Field { .. } | ExprKind::Index { .. } => {
                    if let (Val::Known(value), _) = self.silently(|c| c.infer(expr)) {
                        let note = format!("{} = {value}", self.loaded.sources.slice(expr.span));
                        if !notes.contains(&note) {
                            notes.push(note);
                        }
                    }
                }
                _ => {}
            }
        }
        notes
    }
}

/// A value that is known before the run, as a part of a condition.
fn constant(value: &Value) -> Option<Formula> {
    Some(match value {
        Value::Number(q) => Formula::Number(q.amount),
        Value::Bool(b) => Formula::Bool(*b),
        Value::Text(text) | Value::Choice(text) => Formula::Text(text.clone()),
        Value::List(items) => Formula::List(items.iter().map(constant).collect::<Option<_>>()?),
        Value::Range(low, high) => Formula::Range(Box::new(constant(low)?), Box::new(constant(high)?)),
        _ => return None,
    })
}
