//! Expressions over columns: predicates of steps and requirements on metrics.

use llmp_grammar::Span;
use llmp_grammar::ast::{BinaryOp, Expr, ExprKind, UnaryOp};
use llmp_stdlib::{Column, Formula, Operator, Ty, Value, number};

use super::infer::chained;
use super::{Checker, Val};
use crate::codes::{BadOperator, ConstantCondition, Mismatch, PercentMixup};

/// What an expression over columns gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Text,
    Number,
    Bool,
    List,
    Range,
    Any,
}

impl Sort {
    fn show(self) -> &'static str {
        match self {
            Sort::Text => "text",
            Sort::Number => "a number",
            Sort::Bool => "true or false",
            Sort::List => "a list",
            Sort::Range => "a range",
            Sort::Any => "a value",
        }
    }

    fn fits(self, wanted: Sort) -> bool {
        self == wanted || self == Sort::Any || wanted == Sort::Any
    }
}

impl From<Column> for Sort {
    fn from(column: Column) -> Sort {
        match column {
            Column::Text => Sort::Text,
            Column::Num => Sort::Number,
            Column::Bool => Sort::Bool,
        }
    }
}

/// A formula with its sort, or why there is none.
pub(crate) struct Looked(Result<(Formula, Sort), Val>);

impl From<Val> for Looked {
    fn from(value: Val) -> Looked {
        Looked(Err(value))
    }
}

type Found = Result<(Formula, Sort), Val>;

impl<'a> Checker<'a> {
    /// A condition on the row at hand.
    pub(crate) fn predicate(&mut self, expr: &Expr) -> Val {
        match self.formula(expr) {
            Ok((formula, sort)) if sort.fits(Sort::Bool) => {
                if self.ctx.row.is_some() && formula.columns().is_empty() && is_literal(expr) {
                    let value = constant(&formula).map_or("the same".to_owned(), |b| b.to_string());
                    self.report(ConstantCondition { value, at: expr.span });
                }
                Val::Known(Value::Formula(formula))
            }
            Ok((_, sort)) => {
                self.report(Mismatch {
                    expected: "a condition".into(),
                    found: sort.show().into(),
                    at: expr.span,
                });
                Val::Error
            }
            Err(state) => state,
        }
    }

    /// A number computed from the row at hand.
    pub(crate) fn row_number(&mut self, expr: &Expr) -> Val {
        match self.formula(expr) {
            Ok((formula, sort)) if sort.fits(Sort::Number) => Val::Known(Value::Formula(formula)),
            Ok((_, sort)) => {
                self.report(Mismatch {
                    expected: "a number over columns".into(),
                    found: sort.show().into(),
                    at: expr.span,
                });
                Val::Error
            }
            Err(state) => state,
        }
    }

    /// An expression over columns as a value.
    pub(crate) fn formula_value(&mut self, expr: &Expr) -> Val {
        match self.formula(expr) {
            Ok((formula, _)) => Val::Known(Value::Formula(formula)),
            Err(state) => state,
        }
    }

    fn formula(&mut self, expr: &Expr) -> Found {
        match &expr.kind {
            ExprKind::Error => Err(Val::Error),
            ExprKind::Column(name) => {
                let errors = self.diags.iter().filter(|d| d.is_error()).count();
                let sort = self.column(&name.text, expr.span, None).map_or(Sort::Any, Sort::from);
                let wrong = self.diags.iter().filter(|d| d.is_error()).count() > errors;
                if wrong { Err(Val::Error) } else { Ok((Formula::Column(name.text.clone()), sort)) }
            }
            ExprKind::Name(name) => self.formula_name(name, expr),
            ExprKind::List(items) => {
                let items: Vec<Found> = items.iter().map(|item| self.formula(item)).collect();
                let items: Vec<Formula> =
                    items.into_iter().map(|f| f.map(|(f, _)| f)).collect::<Result<_, _>>()?;
                Ok((Formula::List(items), Sort::List))
            }
            ExprKind::Unary { op, operand, .. } => self.formula_unary(*op, operand),
            ExprKind::Binary { op, left, right, .. } if *op != BinaryOp::Pipe => {
                self.formula_binary(*op, left, right, expr.span)
            }
            ExprKind::Chained { .. } => {
                self.report(chained(expr));
                Err(Val::Error)
            }
            ExprKind::Call { callee, args, .. } => match callee.as_name() {
                Some("about") => {
                    self.about(expr, args, &llmp_stdlib::Ty::Num);
                    Err(Val::Error)
                }
                Some("unpublished") => {
                    let mut found = Err(Val::Error);
                    self.marked(expr, args, |c, e| {
                        found = c.formula(e);
                        Val::Unknown
                    });
                    found
                }
                Some(name) if self.registry.function(name).is_some() => self.function(name, args, expr.span),
                Some(name)
                    if self.registry.constructors(name).is_empty() && self.registry.step(name).is_none() =>
                {
                    Err(self.unknown_name("function", name, callee.span))
                }
                _ => self.constant_part(expr),
            },
            _ => self.constant_part(expr),
        }
    }

    fn formula_name(&mut self, name: &str, expr: &Expr) -> Found {
        if self.local(name).is_none()
            && let Some(crate::resolve::Def::Let(target)) = self.lookup(name, expr.span)
        {
            return self.in_let(&target, expr.span, |c, inner| Looked(c.formula(inner))).0;
        }
        if let Some(unit) = self.ctx.scope
            && self.local(name).is_none()
            && self.names.get(unit, name).is_none()
        {
            // A bare word is most often a column without its dot.
            let row = self.ctx.row.clone().unwrap_or_default();
            if row.columns.contains_key(name) {
                let diag: llmp_grammar::Diag =
                    crate::codes::UnknownName { what: "value".into(), name: name.to_owned(), at: expr.span }
                        .into();
                let text = format!(".{name}");
                self.report(diag.help("columns are written with a dot").fix(
                    format!("write `{text}`"),
                    expr.span,
                    text,
                ));
                return Err(Val::Error);
            }
        }
        self.constant_part(expr)
    }

    /// A part that speaks of no column.
    fn constant_part(&mut self, expr: &Expr) -> Found {
        match self.infer(expr) {
            Val::Known(value) => match to_formula(&value) {
                Some(found) => Ok(found),
                None => {
                    let message =
                        format!("{} cannot stand in an expression over columns", self.describe(&value));
                    self.report(BadOperator { message, at: expr.span });
                    Err(Val::Error)
                }
            },
            other => Err(other),
        }
    }

    fn formula_unary(&mut self, op: UnaryOp, operand: &Expr) -> Found {
        let (inner, sort) = self.formula(operand)?;
        let wanted = if op == UnaryOp::Not { Sort::Bool } else { Sort::Number };
        self.want(sort, wanted, operand.span, op.symbol())?;
        Ok(match (op, inner) {
            (UnaryOp::Not, inner) => (Formula::Not(Box::new(inner)), Sort::Bool),
            (UnaryOp::Neg, Formula::Number(n)) => (Formula::Number(-n), Sort::Number),
            (UnaryOp::Neg, inner) => (Formula::Negate(Box::new(inner)), Sort::Number),
        })
    }

    fn want(&mut self, sort: Sort, wanted: Sort, at: Span, operator: &str) -> Result<(), Val> {
        if sort.fits(wanted) {
            return Ok(());
        }
        let message = format!("`{operator}` works on {}, this is {}", wanted.show(), sort.show());
        self.report(BadOperator { message, at });
        Err(Val::Error)
    }

    fn formula_binary(&mut self, op: BinaryOp, left: &Expr, right: &Expr, at: Span) -> Found {
        let (l, r) = (self.formula(left), self.formula(right));
        let share = |side: &Expr, other: &Expr| {
            matches!(&side.kind, ExprKind::Number(n) if n.suffix.as_ref().is_some_and(|s| s.text == "%"))
                && matches!(other.kind, ExprKind::Column(_))
        };
        for (side, other, found) in [(left, right, &l), (right, left, &r)] {
            if let Ok((Formula::Number(n), _)) = found
                && share(side, other)
                && *n > llmp_stdlib::Rational::from(1)
            {
                let message = format!(
                    "{} is {}: no share is above 100%",
                    number::show(*n * llmp_stdlib::Rational::from(100)) + "%",
                    number::show(*n)
                );
                self.report(PercentMixup { message, at: side.span });
            }
        }
        let ((l, ls), (r, rs)) = match (l, r) {
            (Ok(l), Ok(r)) => (l, r),
            (Err(Val::Error), _) | (_, Err(Val::Error)) => return Err(Val::Error),
            (Err(state), _) | (_, Err(state)) => return Err(state),
        };
        let symbol = op.symbol();
        let Some(operator) = operator(op) else {
            return Ok((Formula::Range(Box::new(l), Box::new(r)), Sort::Range));
        };
        let sort = match op {
            BinaryOp::And | BinaryOp::Or => {
                self.want(ls, Sort::Bool, left.span, symbol)?;
                self.want(rs, Sort::Bool, right.span, symbol)?;
                Sort::Bool
            }
            BinaryOp::Eq | BinaryOp::Ne => {
                if !ls.fits(rs) {
                    let message = format!("`{symbol}` compares {} with {}", ls.show(), rs.show());
                    self.report(BadOperator { message, at });
                    return Err(Val::Error);
                }
                Sort::Bool
            }
            BinaryOp::In => {
                if !rs.fits(Sort::List) && !rs.fits(Sort::Range) {
                    let message =
                        format!("`in` asks for a list or a range on its right, this is {}", rs.show());
                    self.report(BadOperator { message, at: right.span });
                    return Err(Val::Error);
                }
                Sort::Bool
            }
            _ => {
                self.want(ls, Sort::Number, left.span, symbol)?;
                self.want(rs, Sort::Number, right.span, symbol)?;
                let compares = matches!(op, BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge);
                if compares { Sort::Bool } else { Sort::Number }
            }
        };
        Ok((fold(operator, l, r), sort))
    }

    fn function(&mut self, name: &str, args: &[llmp_grammar::ast::Arg], at: Span) -> Found {
        let Some(function) = self.registry.function(name) else { return Err(Val::Error) };
        if args.len() != function.params.len() {
            let message = format!("`{name}` takes {} arguments, not {}", function.params.len(), args.len());
            self.report(crate::codes::BadArgument { message, at });
            return Err(Val::Error);
        }
        let mut given = Vec::new();
        let mut state = None;
        for (arg, ty) in args.iter().zip(function.params) {
            match self.formula(&arg.value) {
                Ok((formula, sort)) => {
                    let wanted = sort_of(ty);
                    if !sort.fits(wanted) {
                        self.report(Mismatch {
                            expected: ty.show(),
                            found: sort.show().into(),
                            at: arg.value.span,
                        });
                        state = Some(Val::Error);
                    }
                    given.push(formula);
                }
                Err(Val::Error) => state = Some(Val::Error),
                Err(other) => state = state.or(Some(other)),
            }
        }
        match state {
            Some(state) => Err(state),
            None => Ok((Formula::Call(name.to_owned(), given), Sort::from(function.result))),
        }
    }
}

fn sort_of(ty: &Ty) -> Sort {
    match ty {
        Ty::Text | Ty::Path => Sort::Text,
        Ty::Int | Ty::Num | Ty::Quantity(_) => Sort::Number,
        Ty::Bool => Sort::Bool,
        Ty::List(_) => Sort::List,
        Ty::Range(_) => Sort::Range,
        _ => Sort::Any,
    }
}

pub(super) fn operator(op: BinaryOp) -> Option<Operator> {
    Some(match op {
        BinaryOp::Or => Operator::Or,
        BinaryOp::And => Operator::And,
        BinaryOp::Eq => Operator::Equal,
        BinaryOp::Ne => Operator::NotEqual,
        BinaryOp::Lt => Operator::Less,
        BinaryOp::Le => Operator::LessEqual,
        BinaryOp::Gt => Operator::Greater,
        BinaryOp::Ge => Operator::GreaterEqual,
        BinaryOp::In => Operator::In,
        BinaryOp::Add => Operator::Add,
        BinaryOp::Sub => Operator::Subtract,
        BinaryOp::Mul => Operator::Multiply,
        BinaryOp::Div => Operator::Divide,
        BinaryOp::Mod => Operator::Modulo,
        BinaryOp::Pipe | BinaryOp::Range => return None,
    })
}

/// Arithmetic on constants is done now: a value moved into a `let` leaves the plan as it was.
fn fold(op: Operator, left: Formula, right: Formula) -> Formula {
    let symbol = match op {
        Operator::Add => '+',
        Operator::Subtract => '-',
        Operator::Multiply => '*',
        Operator::Divide => '/',
        Operator::Modulo => '%',
        _ => return Formula::Binary(op, Box::new(left), Box::new(right)),
    };
    if let (Formula::Number(l), Formula::Number(r)) = (&left, &right)
        && let Some(n) = number::arithmetic(*l, symbol, *r)
    {
        return Formula::Number(n);
    }
    Formula::Binary(op, Box::new(left), Box::new(right))
}

fn to_formula(value: &Value) -> Option<(Formula, Sort)> {
    Some(match value {
        Value::Number(q) => (Formula::Number(q.amount), Sort::Number),
        Value::Text(t) | Value::Choice(t) => (Formula::Text(t.clone()), Sort::Text),
        Value::Bool(b) => (Formula::Bool(*b), Sort::Bool),
        Value::Formula(f) => (f.clone(), Sort::Any),
        Value::List(items) => {
            let items: Option<Vec<Formula>> =
                items.iter().map(|item| to_formula(item).map(|(f, _)| f)).collect();
            (Formula::List(items?), Sort::List)
        }
        Value::Range(low, high) => {
            (Formula::Range(Box::new(to_formula(low)?.0), Box::new(to_formula(high)?.0)), Sort::Range)
        }
        _ => return None,
    })
}

fn is_literal(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Number(_) | ExprKind::Bool(_) | ExprKind::Text(_) => true,
        ExprKind::Unary { operand, .. } => is_literal(operand),
        ExprKind::Binary { left, right, .. } => is_literal(left) && is_literal(right),
        ExprKind::List(items) => items.iter().all(is_literal),
        _ => false,
    }
}

/// The truth of a condition without columns.
fn constant(formula: &Formula) -> Option<bool> {
    match formula {
        Formula::Bool(b) => Some(*b),
        Formula::Not(inner) => constant(inner).map(|b| !b),
        Formula::Binary(op, l, r) => match (op, &**l, &**r) {
            (Operator::And, l, r) => Some(constant(l)? && constant(r)?),
            (Operator::Or, l, r) => Some(constant(l)? || constant(r)?),
            (Operator::Equal, l, r) => Some(l == r),
            (Operator::NotEqual, l, r) => Some(l != r),
            (op, Formula::Number(l), Formula::Number(r)) => match op {
                Operator::Less => Some(l < r),
                Operator::LessEqual => Some(l <= r),
                Operator::Greater => Some(l > r),
                Operator::GreaterEqual => Some(l >= r),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}
