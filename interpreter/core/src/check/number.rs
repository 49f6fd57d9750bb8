//! Numbers as written: suffixes, units, and the dimension of their place.

use llmp_grammar::ast::{BinaryOp, Expr, ExprKind, Number, UnaryOp};
use llmp_grammar::{Diag, Span};
use llmp_stdlib::unit::LiteralError;
use llmp_stdlib::{Dim, Quantity, Ty, Value, number};

use super::{Checker, Val};
use crate::codes::{DecimalThousand, NumberTooLarge, UnitNeeded, UnitsDiffer, UnknownUnit, WrongDimension};
use crate::resolve::suggest;

impl<'a> Checker<'a> {
    /// A number, or a sum of numbers, where a numeric type is expected.
    pub(crate) fn numeric(&mut self, expr: &Expr, ty: &Ty) -> Val {
        match &expr.kind {
            ExprKind::Number(written) => self.literal(written, ty, expr.span),
            ExprKind::Unary { op: UnaryOp::Neg, operand, .. } => {
                let at = expr.span;
                let (dims, inner) = (ty, operand);
                match self.infer(inner) {
                    Val::Known(Value::Number(q)) => {
                        self.fit_number(Quantity::new(-q.amount, q.dim), dims, at)
                    }
                    Val::Known(value) => {
                        self.mismatch(ty, &value, operand.span);
                        Val::Error
                    }
                    other => other,
                }
            }
            ExprKind::Binary { op: op @ (BinaryOp::Add | BinaryOp::Sub), left, right, .. } => {
                let (left, right) = (self.check(left, ty), self.check(right, ty));
                self.arithmetic(*op, left, right, expr.span)
                    .and_then(|value| self.coerce(value, ty, expr.span))
            }
            _ => {
                let at = expr.span;
                self.infer(expr).and_then(|value| self.coerce(value, ty, at))
            }
        }
    }

    /// The quantity of a literal, with what is wrong about its suffix or unit reported.
    pub(crate) fn quantity(&mut self, written: &Number, at: Span) -> Option<Quantity> {
        self.percent = written.suffix.as_ref().is_some_and(|s| s.text == "%");
        match llmp_stdlib::literal::quantity(written) {
            Ok(quantity) => Some(quantity),
            Err(LiteralError::Unknown { text, near }) => {
                let words = [&written.suffix, &written.unit];
                let place = words.into_iter().flatten().find(|w| w.text == text).map_or(at, |w| w.span);
                self.report(suggest(UnknownUnit { text, at: place }.into(), near, place));
                None
            }
            Err(LiteralError::TooLarge) => {
                self.report(NumberTooLarge { message: "the number does not fit 128 bits".into(), at });
                None
            }
            Err(LiteralError::TwoUnits) => {
                let word = |w: &Option<llmp_grammar::ast::Ident>| {
                    w.as_ref().map(|w| w.text.clone()).unwrap_or_default()
                };
                let (left, right) = (word(&written.suffix), word(&written.unit));
                self.report(UnitsDiffer { left, right, operator: "after".into(), at });
                None
            }
        }
    }

    fn literal(&mut self, written: &Number, ty: &Ty, at: Span) -> Val {
        let Some(q) = self.quantity(written, at) else { return Val::Error };
        let percent = self.percent;
        if self.ctx.binary {
            self.thousand(written, q, at);
        }
        if let Ty::Quantity(dims) = ty
            && q.dim == Dim::NONE
        {
            let share = dims.contains(&Dim::NONE);
            if percent && !share {
                self.report(WrongDimension { expected: ty.show(), found: "a percentage".into(), at });
                return Val::Error;
            }
            if !percent && dims.len() > 1 {
                self.unit_needed(written, q, dims, ty, at);
                return Val::Error;
            }
        }
        if percent && matches!(ty, Ty::Int) {
            self.mismatch(ty, &Value::Number(q), at);
            return Val::Error;
        }
        self.fit_number(q, ty, at)
    }

    fn unit_needed(&mut self, written: &Number, q: Quantity, dims: &[Dim], ty: &Ty, at: Span) {
        let mut diag = Diag::from(UnitNeeded { allowed: ty.show(), at });
        let digits = written.digits.clone() + written.suffix.as_ref().map_or("", |s| s.text.as_str());
        for dim in dims {
            let fraction = q.amount < llmp_stdlib::Rational::from(1);
            let text = match (*dim == Dim::NONE, fraction) {
                (true, true) => format!("{}%", number::show(q.amount * llmp_stdlib::Rational::from(100))),
                (false, false) => format!("{digits} {}", dim.show()),
                _ => continue,
            };
            diag = diag.fix(format!("write `{text}`"), at, text);
        }
        self.report(diag);
    }

    /// `8k` where powers of two are usual.
    fn thousand(&mut self, written: &Number, q: Quantity, at: Span) {
        let Some(suffix) = &written.suffix else { return };
        let binary = match suffix.text.as_str() {
            "k" => 1i128 << 10,
            "M" => 1 << 20,
            _ => return,
        };
        let Some(count) = number::parse_decimal(&written.digits) else { return };
        let text = format!("{}{}i", written.digits, if suffix.text == "k" { "K" } else { "M" });
        let facts = DecimalThousand {
            written: format!("{}{}", written.digits, suffix.text),
            decimal: number::show(q.amount),
            binary: text.clone(),
            exact: number::show(count * llmp_stdlib::Rational::from(binary)),
            at,
        };
        let title = format!("write `{text}`");
        let place = written.suffix.as_ref().map_or(at, |s| Span { start: at.start, ..s.span });
        self.report(Diag::from(facts).fix(title, place, text));
    }

    /// `+ - * / mod` on numbers with dimensions.
    pub(crate) fn arithmetic(&mut self, op: BinaryOp, left: Val, right: Val, at: Span) -> Val {
        let (left, right) = match (left, right) {
            (Val::Known(Value::Number(l)), Val::Known(Value::Number(r))) => (l, r),
            (
                Val::Known(l @ (Value::About(_) | Value::Number(_))),
                Val::Known(r @ (Value::About(_) | Value::Number(_))),
            ) => return self.estimated(op, &l, &r, at),
            (Val::Error, _) | (_, Val::Error) => return Val::Error,
            (Val::Known(Value::None), Val::Known(_)) | (Val::Known(_), Val::Known(Value::None)) => {
                self.report(crate::codes::OptionalUsed { expected: "a number".into(), at });
                return Val::Error;
            }
            (Val::Known(l), Val::Known(r)) => {
                let message = format!(
                    "`{}` works on numbers, not on {} and {}",
                    op.symbol(),
                    self.describe(&l),
                    self.describe(&r)
                );
                self.report(crate::codes::BadOperator { message, at });
                return Val::Error;
            }
            _ => return Val::Unknown,
        };
        let symbol = match op {
            BinaryOp::Mod => '%',
            op => op.symbol().chars().next().unwrap_or('+'),
        };
        let dim = match op {
            BinaryOp::Mul => left.dim.times(right.dim),
            BinaryOp::Div => left.dim.over(right.dim),
            _ if left.dim == right.dim => left.dim,
            _ => {
                self.report(UnitsDiffer {
                    left: left.dim.show(),
                    right: right.dim.show(),
                    operator: op.symbol().to_owned(),
                    at,
                });
                return Val::Error;
            }
        };
        match number::arithmetic(left.amount, symbol, right.amount) {
            Some(amount) => Val::Known(Value::Number(Quantity::new(amount, dim))),
            None => {
                let zero = right.amount == llmp_stdlib::Rational::from(0)
                    && matches!(op, BinaryOp::Div | BinaryOp::Mod);
                let message = if zero { "division by zero" } else { "the result does not fit 128 bits" };
                self.report(NumberTooLarge { message: message.into(), at });
                Val::Error
            }
        }
    }
}
