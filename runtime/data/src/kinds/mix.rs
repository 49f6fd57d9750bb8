//! `mix name { source = share }`: what a stage trains on, by token shares.

use llmp_stdlib::number;
use llmp_stdlib::{
    Arg, Form, ItemRef, Kind, Output, Part, Planner, Problem, Rational, Record, Settings, Ty, Value, View,
    Yields,
};

llmp_stdlib::choices! {
    /// What the other shares leave.
    Rest = "share" {
        /// What the others leave of 100%.
        Rest = "rest",
    }
}

llmp_stdlib::def! {
    /// A part with more than a share.
    Weighted = "part", rev 1 {
        /// Its share of the consumed tokens (before any loss mask).
        weight: Rational,
        /// Most passes over it; beyond that the other parts share what it would have given.
        max_epochs: Option<Rational> = "none",
    }
}

const SHARE: Ty = Ty::OneOf(&[Ty::Num, <Rest as Arg>::TY, Ty::Record(Weighted::SIGNATURE.params)]);

llmp_stdlib::def! {
    /// Documents in proportion: keys are sources, datasets or their parts, values are shares of the tokens.
    ///
    /// Percentages sum to exactly 100%, with at most one `rest`; bare numbers are parts of their sum. Shares are kept exactly:
    /// after any number of rows every part is within one row of its share.
    ///
    /// ```llmp
    /// source books = text("books/*.txt")
    /// source pages = text("pages/*.txt")
    /// mix blend {
    ///   books = 70%
    ///   pages = { weight = 30%, max_epochs = 4 }
    /// }
    /// ```
    Mix = "mix", rev 1 {}
}

/// The kind.
pub(super) static KIND: Kind = Kind::new(Mix::SIGNATURE, Form::Open(SHARE), Yields::Mix, elaborate);

/// One part as written: a weight, or what the others leave.
struct Written {
    weight: Option<Rational>,
    max_epochs: Option<Rational>,
}

fn written(value: &Value) -> Option<Written> {
    let number = |value: &Value| if let Value::Number(q) = value { Some(q.amount) } else { None };
    match value {
        Value::Choice(_) => Some(Written { weight: None, max_epochs: None }),
        Value::Number(q) => Some(Written { weight: Some(q.amount), max_epochs: None }),
        Value::Record(record) => {
            let weight = number(record.get("weight")?)?;
            Some(Written { weight: Some(weight), max_epochs: record.get("max_epochs").and_then(number) })
        }
        _ => None,
    }
}

fn elaborate(view: &View<'_>, planner: &mut dyn Planner) -> Result<Output, Problem> {
    let shares = shares(view.members)
        .ok_or_else(|| Problem::error("LLMP0401", "", "the shares of this mix are not known"))?;
    let mut parts = Vec::new();
    for (key, share, max_epochs) in shares {
        match planner.item(&ItemRef::of_key(key, view.program))? {
            Output::Port(port) => parts.push(Part { name: key.to_owned(), port, share, max_epochs }),
            _ => return Err(Problem::error("LLMP0201", key, format!("`{key}` is not data"))),
        }
    }
    Ok(Output::Mix(parts))
}

/// Shares that sum to one, in the order in which they were written.
fn shares(members: &Record) -> Option<Vec<(&str, Rational, Option<Rational>)>> {
    let parts: Vec<(&str, Written)> = members
        .iter()
        .map(|(key, value)| written(value).map(|w| (key.as_str(), w)))
        .collect::<Option<_>>()?;
    let mut total = Rational::from(0);
    for (_, part) in &parts {
        total = number::arithmetic(total, '+', part.weight.unwrap_or_default())?;
    }
    let rest = Rational::from(1) - total;
    let whole = if parts.iter().any(|(_, p)| p.weight.is_none()) { Rational::from(1) } else { total };
    let share = |part: &Written| number::arithmetic(part.weight.unwrap_or(rest), '/', whole);
    parts.iter().map(|(key, part)| Some((*key, share(part)?, part.max_epochs))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_sum_to_one() {
        let percent = |n: i128| Value::number(Rational::new(n, 100));
        let members: Record =
            [("a", percent(40)), ("b", Value::Choice("rest".into()))].map(|(k, v)| (k.to_owned(), v)).into();
        assert_eq!(shares(&members).unwrap()[1].1, Rational::new(3, 5));
        let parts: Record =
            [("a", Value::number(2)), ("b", Value::number(6))].map(|(k, v)| (k.to_owned(), v)).into();
        assert_eq!(shares(&parts).unwrap()[0].1, Rational::new(1, 4));
    }
}
