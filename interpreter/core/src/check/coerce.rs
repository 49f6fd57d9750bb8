//! Computed values against types: what a `let`, a `param` or a field read gives.

use llmp_grammar::{Diag, Span};
use llmp_stdlib::{Dim, Quantity, Record, State, Ty, Value, Yields};

use super::{Checker, Val};
use crate::codes::{NotAllowed, OutOfRange, UnitNeeded, WrongDimension, WrongState};

impl<'a> Checker<'a> {
    /// Fits a value to a type. Errors are reported at `at`.
    pub(crate) fn coerce(&mut self, value: Value, ty: &Ty, at: Span) -> Val {
        match (ty, &value) {
            (Ty::OneOf(types), _) => {
                for ty in *types {
                    let (fitted, said) = self.silently(|c| c.coerce(value.clone(), ty, at));
                    if fitted != Val::Error && said.is_empty() {
                        return fitted;
                    }
                }
                // Data in a wrong state are best explained as such.
                let data = types.iter().find(|ty| matches!(ty, Ty::Data(_)));
                match data {
                    Some(data) if self.row_of(&value).is_some() => self.coerce(value, data, at),
                    // The item is wrong in itself, and that was said.
                    Some(_) if self.wrong_item(&value) => Val::Error,
                    _ => self.wrong(ty, &value, at),
                }
            }
            (Ty::Optional(_), Value::None) => Val::Known(value),
            (Ty::Optional(inner), _) => self.coerce(value, inner, at),
            (Ty::Bool, Value::Bool(_)) | (Ty::Text | Ty::Path, Value::Text(_)) => Val::Known(value),
            (Ty::Int | Ty::Num | Ty::Quantity(_), Value::Number(q)) => self.fit_number(*q, ty, at),
            (Ty::Estimate(dims), Value::Number(q)) => self.fit_number(*q, &Ty::Quantity(dims), at),
            (Ty::Estimate(dims), Value::About(e)) if dims.contains(&e.dim) => Val::Known(value),
            (Ty::Choice(set), Value::Choice(c)) if set.values.iter().any(|(v, _)| v == c) => {
                Val::Known(value)
            }
            (Ty::Choice(set), Value::Text(text)) if set.values.iter().any(|(v, _)| v == text) => {
                let diag = Diag::from(crate::codes::Mismatch {
                    expected: ty.show(),
                    found: format!("the text {text:?}"),
                    at,
                });
                self.report(diag.help("names stand without quotes").fix(
                    format!("write `{text}`"),
                    at,
                    text.clone(),
                ));
                Val::Error
            }
            (Ty::Choice(set), Value::Text(text) | Value::Choice(text)) => {
                let allowed: Vec<&str> = set.values.iter().map(|v| v.0).collect();
                self.report(NotAllowed { value: text.clone(), allowed: allowed.join(" | "), at });
                Val::Error
            }
            (Ty::Family(family), Value::Call(call)) if family.get(&call.name).is_some() => Val::Known(value),
            (Ty::Item(yields), Value::Item(item)) => {
                let kind = self.names.decls.get(&item.item).map(|d| d.kind);
                if kind.is_some_and(|k| yields.contains(&k.yields)) {
                    Val::Known(value)
                } else {
                    self.wrong(ty, &value, at)
                }
            }
            (Ty::Item(yields), Value::Call(call)) if self.item_family(yields, &call.name).is_some() => {
                Val::Known(value)
            }
            (Ty::Item(yields), Value::Pipe(..)) if yields.contains(&Yields::Data) => Val::Known(value),
            (Ty::Item(yields), Value::List(_)) if yields.contains(&Yields::Chain) => Val::Known(value),
            (Ty::Data(states), Value::Item(_) | Value::Pipe(..) | Value::Call(_)) => {
                self.fit_data(value, states, ty, at)
            }
            (Ty::List(_) | Ty::Range(_) | Ty::Map(_) | Ty::Record(_), _) => self.coerce_parts(value, ty, at),
            (Ty::Predicate, Value::Formula(_) | Value::Bool(_)) => Val::Known(value),
            (Ty::Formula, Value::Formula(_) | Value::Number(_)) => Val::Known(value),
            _ => self.wrong(ty, &value, at),
        }
    }

    /// Values that hold others.
    fn coerce_parts(&mut self, value: Value, ty: &Ty, at: Span) -> Val {
        match (ty, &value) {
            (Ty::List(inner), Value::List(items)) => {
                let fitted: Vec<Val> =
                    items.iter().map(|item| self.coerce(item.clone(), inner, at)).collect();
                all(fitted, Value::List)
            }
            (Ty::Range(inner), Value::Range(low, high)) => {
                let ends =
                    vec![self.coerce((**low).clone(), inner, at), self.coerce((**high).clone(), inner, at)];
                all(ends, |mut ends| {
                    let high = ends.pop().unwrap_or(Value::None);
                    let low = ends.pop().unwrap_or(Value::None);
                    Value::Range(Box::new(low), Box::new(high))
                })
            }
            (Ty::Map(inner), Value::Record(record)) => {
                let fitted: Vec<Val> =
                    record.values().map(|item| self.coerce(item.clone(), inner, at)).collect();
                let names: Vec<String> = record.keys().cloned().collect();
                all(fitted, |values| Value::Record(names.into_iter().zip(values).collect()))
            }
            (Ty::Record(fields), Value::Record(record)) => {
                let fits = record.keys().all(|k| fields.iter().any(|f| f.name == k));
                if !fits {
                    return self.wrong(ty, &value, at);
                }
                let mut complete = Record::new();
                for field in *fields {
                    let one = match (record.get(field.name), field.default) {
                        (Some(value), _) => self.coerce(value.clone(), &field.ty, at),
                        (None, Some(_)) => self.default(field),
                        (None, None) => return self.wrong(ty, &value, at),
                    };
                    match one {
                        Val::Known(value) => complete.insert(field.name.to_owned(), value),
                        other => return other,
                    };
                }
                Val::Known(Value::Record(complete))
            }
            _ => self.wrong(ty, &value, at),
        }
    }

    fn wrong(&mut self, ty: &Ty, value: &Value, at: Span) -> Val {
        self.mismatch(ty, value, at);
        Val::Error
    }

    fn fit_data(&mut self, value: Value, states: &[State], ty: &Ty, at: Span) -> Val {
        if let Value::Item(item) = &value
            && let Some(kind) = self.names.decls.get(&item.item).map(|d| d.kind)
            && kind.yields != Yields::Data
        {
            return self.wrong(ty, &value, at);
        }
        let Some(row) = self.row_of(&value) else {
            // The item is wrong in itself, and that was said.
            return if matches!(value, Value::Call(_)) { self.wrong(ty, &value, at) } else { Val::Error };
        };
        match row.state {
            Some(state) if !states.contains(&state) => {
                let gets = state.show().to_owned();
                let diag =
                    Diag::from(WrongState { step: self.owner(), needs: ty.show(), gets, at, source: None });
                let step = states.iter().find_map(|to| self.bridge(state, *to));
                let diag = match step {
                    Some(step) => diag.help(format!("insert `{step}()`")).fix(
                        format!("insert `{step}()`"),
                        at.after(),
                        format!(" |> {step}()"),
                    ),
                    None => diag,
                };
                self.report(diag);
                Val::Error
            }
            _ => Val::Known(value),
        }
    }

    /// Whose member or argument is being looked at.
    fn owner(&self) -> String {
        match self.ctx.path.as_slice() {
            [] => self.ctx.node.clone(),
            path => format!("{}.{}", self.ctx.node, path.join(".")),
        }
    }

    /// A number against a numeric type.
    pub(crate) fn fit_number(&mut self, q: Quantity, ty: &Ty, at: Span) -> Val {
        let zero = llmp_stdlib::Rational::from(0);
        match ty {
            Ty::Int => {
                if q.dim != Dim::NONE {
                    self.wrong_dimension("a plain whole number", q, at)
                } else if !q.amount.is_integer() {
                    self.wrong(ty, &Value::Number(q), at)
                } else if q.amount < zero {
                    self.out_of_range(format!("{} is below zero", q.show()), at)
                } else {
                    Val::Known(Value::Number(q))
                }
            }
            Ty::Num if q.dim == Dim::NONE => Val::Known(Value::Number(q)),
            Ty::Num => self.wrong_dimension("a plain number", q, at),
            Ty::Quantity(dims) => {
                let fitted = match dims {
                    _ if dims.contains(&q.dim) => q,
                    [only] if q.dim == Dim::NONE => Quantity::new(q.amount, *only),
                    _ if q.dim == Dim::NONE => {
                        self.report(UnitNeeded { allowed: ty.show(), at });
                        return Val::Error;
                    }
                    _ => return self.wrong_dimension(&ty.show(), q, at),
                };
                let counted = [
                    Dim::TOKENS,
                    Dim::SEQUENCES,
                    Dim::DOCS,
                    Dim::STEPS,
                    Dim::BYTES,
                    Dim::PARAMETERS,
                    Dim::GPUS,
                ];
                if fitted.amount < zero {
                    return self.out_of_range(format!("{} is below zero", fitted.show()), at);
                }
                if counted.contains(&fitted.dim) && !fitted.amount.is_integer() {
                    let expected = format!("a whole number of {}", fitted.dim.show());
                    self.report(crate::codes::Mismatch { expected, found: fitted.show(), at });
                    return Val::Error;
                }
                Val::Known(Value::Number(fitted))
            }
            _ => self.wrong(ty, &Value::Number(q), at),
        }
    }

    fn out_of_range(&mut self, message: String, at: Span) -> Val {
        self.report(OutOfRange { message, at });
        Val::Error
    }

    fn wrong_dimension(&mut self, expected: &str, q: Quantity, at: Span) -> Val {
        self.report(WrongDimension { expected: expected.to_owned(), found: q.dim.show(), at });
        Val::Error
    }
}

/// A value out of all parts, if all are known.
pub(crate) fn all(parts: Vec<Val>, make: impl FnOnce(Vec<Value>) -> Value) -> Val {
    if parts.contains(&Val::Error) {
        return Val::Error;
    }
    let known: Option<Vec<Value>> =
        parts.into_iter().map(|part| if let Val::Known(value) = part { Some(value) } else { None }).collect();
    known.map_or(Val::Unknown, |values| Val::Known(make(values)))
}
