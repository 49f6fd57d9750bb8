//! `about(x)`: amounts known within bounds, in sizes and in conditions with three values.

use llmp_grammar::Span;
use llmp_grammar::ast::{Arg, BinaryOp, Expr};
use llmp_stdlib::{Dim, Estimate, Quantity, Ty, Value};

use super::{Checker, Val};
use crate::codes::{BadOperator, Mismatch, NumberTooLarge, UnitsDiffer};

/// Where an estimate may stand.
pub(crate) const WHERE: &str =
    "`about(…)` stands for the `size` of a source and in the conditions of `check`; write the number itself";

fn estimate(value: &Value) -> Option<Estimate> {
    match value {
        Value::About(estimate) => Some(*estimate),
        Value::Number(quantity) => Some(Estimate::exact(*quantity)),
        _ => None,
    }
}

impl<'a> Checker<'a> {
    /// `about(x)` where a type is expected.
    pub(crate) fn about(&mut self, expr: &Expr, args: &[Arg], ty: &Ty) -> Val {
        let Ty::Estimate(dims) = ty else {
            let found = "`about(…)`, an estimate".to_owned();
            let diag: llmp_grammar::Diag = Mismatch { expected: ty.show(), found, at: expr.span }.into();
            let inside = args.first().map(|a| self.loaded.sources.slice(a.value.span).to_owned());
            let diag = diag.help(WHERE);
            self.report(match inside {
                Some(text) => diag.fix("write the number itself", expr.span, text),
                None => diag,
            });
            return Val::Error;
        };
        let Some(first) = self.marks("about", args, 1, expr.span) else { return Val::Error };
        self.check(first, &Ty::Quantity(dims)).and_then(|value| self.widen(value, expr.span))
    }

    /// `about(x)` in a condition or a `let`.
    pub(crate) fn inferred_about(&mut self, expr: &Expr, args: &[Arg]) -> Val {
        let Some(first) = self.marks("about", args, 1, expr.span) else { return Val::Error };
        self.infer(first).and_then(|value| self.widen(value, expr.span))
    }

    fn widen(&mut self, value: Value, at: Span) -> Val {
        let Value::Number(quantity) = value else {
            let found = self.describe(&value);
            self.report(Mismatch { expected: "a number".into(), found, at });
            return Val::Error;
        };
        match Estimate::about(quantity) {
            Some(estimate) => Val::Known(Value::About(estimate)),
            None => self.too_large(at),
        }
    }

    fn too_large(&mut self, at: Span) -> Val {
        self.report(NumberTooLarge { message: "the bounds do not fit 128 bits".into(), at });
        Val::Error
    }

    /// `+ - * /` where one side is an estimate.
    pub(crate) fn estimated(&mut self, op: BinaryOp, left: &Value, right: &Value, at: Span) -> Val {
        let (Some(l), Some(r)) = (estimate(left), estimate(right)) else { return Val::Error };
        if matches!(op, BinaryOp::Add | BinaryOp::Sub) && l.dim != r.dim {
            let (left, right) = (l.dim.show(), r.dim.show());
            self.report(UnitsDiffer { left, right, operator: op.symbol().to_owned(), at });
            return Val::Error;
        }
        if op == BinaryOp::Mod {
            let message = "`mod` has no meaning for an estimate".to_owned();
            self.report(BadOperator { message, at });
            return Val::Error;
        }
        let zero = llmp_stdlib::Rational::from(0);
        if op == BinaryOp::Div && r.low <= zero && zero <= r.high {
            self.report(NumberTooLarge { message: "the divisor may be zero".into(), at });
            return Val::Error;
        }
        let symbol = op.symbol().chars().next().unwrap_or('+');
        match l.arithmetic(symbol, r) {
            Some(estimate) => Val::Known(Value::About(estimate)),
            None => self.too_large(at),
        }
    }

    /// A comparison where one side is an estimate; `None` where none is.
    pub(crate) fn compare_estimates(
        &mut self,
        op: BinaryOp,
        left: &Value,
        right: &Value,
        at: Span,
    ) -> Option<Val> {
        if let (BinaryOp::In, Value::Range(low, high)) = (op, right) {
            if !matches!(left, Value::About(_)) {
                return None;
            }
            let above = self.compare_estimates(BinaryOp::Ge, left, low, at)?;
            let below = self.compare_estimates(BinaryOp::Le, left, high, at)?;
            return Some(match (above, below) {
                (Val::Error, _) | (_, Val::Error) => Val::Error,
                (Val::Known(Value::Bool(false)), _) | (_, Val::Known(Value::Bool(false))) => {
                    Val::Known(Value::Bool(false))
                }
                (Val::Known(Value::Bool(true)), Val::Known(Value::Bool(true))) => {
                    Val::Known(Value::Bool(true))
                }
                _ => Val::Unknown,
            });
        }
        if !matches!((left, right), (Value::About(_), _) | (_, Value::About(_))) {
            return None;
        }
        let (l, r) = (estimate(left)?, estimate(right)?);
        let bound = |e: Estimate| Quantity::new(e.low, e.dim);
        if l.dim != Dim::NONE && r.dim != Dim::NONE && self.common(&bound(l), &bound(r), at).is_none() {
            return Some(Val::Error);
        }
        let truth = match op {
            BinaryOp::Lt => l.less(r),
            BinaryOp::Ge => l.less(r).map(|b| !b),
            BinaryOp::Gt => r.less(l),
            BinaryOp::Le => r.less(l).map(|b| !b),
            BinaryOp::Eq => l.equal(r),
            BinaryOp::Ne => l.equal(r).map(|b| !b),
            _ => return None,
        };
        Some(truth.map_or(Val::Unknown, |b| Val::Known(Value::Bool(b))))
    }
}
