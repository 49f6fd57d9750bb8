//! `check condition else "words"`: the conditions that a program sets itself.

use llmp_grammar::Diag;
use llmp_grammar::ast::{Expr, ExprKind, Item};
use llmp_stdlib::Value;

use super::{Checker, Val};
use crate::codes::{CheckFailed, Mismatch, Undecided};

impl<'a> Checker<'a> {
    /// Evaluates every check of the program.
    pub(crate) fn checks(&mut self) {
        let names = self.names;
        for (unit, item, check) in &names.checks {
            if !self.applies(item) {
                continue;
            }
            self.ctx = super::Context { unit: Some(*unit), ..super::Context::default() };
            let at = check.condition.span;
            match self.infer(&check.condition) {
                Val::Known(Value::Bool(true)) | Val::Error => {}
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
                Val::Unknown => self.report(Undecided { at }),
            }
        }
        self.ctx = super::Context::default();
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
