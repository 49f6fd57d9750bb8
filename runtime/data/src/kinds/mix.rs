//! `mix name { source = share }`: what a stage trains on, by token shares.

use llmp_stdlib::arg::Tokens;
use llmp_stdlib::number;
use llmp_stdlib::{
    Arg, Form, ItemRef, Kind, Output, Param, Part, Planner, Problem, Rational, Record, Settings, Ty, Value,
    View, Yields,
};

llmp_stdlib::choices! {
    /// What the other shares leave.
    Rest = "share" {
        /// What the others leave of 100%.
        Rest = "rest",
    }
}

/// Another share of a part from some point of a stage on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// Tokens of the stage after which it holds.
    pub after: u64,
    /// Its share then.
    pub weight: Rational,
}

impl Arg for Change {
    const TY: Ty = {
        const fn field(name: &'static str, doc: &'static str, ty: Ty) -> Param {
            Param { name, doc, ty, default: None, binary: false, many: false, writes: false }
        }
        static FIELDS: [Param; 2] = [
            field("after", "Tokens of the stage after which it holds.", Tokens::TY),
            field(
                "weight",
                "Its share of the tokens then, a percentage of the whole.",
                <Rational as Arg>::TY,
            ),
        ];
        Ty::Record(&FIELDS)
    };

    fn read(value: &Value) -> Result<Self, String> {
        let Value::Record(record) = value else { return Err(format!("expected a change, found {value}")) };
        let get = |name: &str| record.get(name).ok_or_else(|| format!("a change needs `{name}`"));
        Ok(Change { after: Tokens::read(get("after")?)?.0, weight: Rational::read(get("weight")?)? })
    }
}

llmp_stdlib::def! {
    /// A part with more than a share.
    Weighted = "part", rev 1 {
        /// Its share of the consumed tokens (before any loss mask).
        weight: Rational,
        /// Most passes over it; beyond that the other parts share what it would have given.
        max_epochs: Option<Rational> = "none",
        /// Other shares later in a stage (a curriculum). Parts that do not change share what the others leave as they did before.
        later: Vec<Change> = "[]",
    }
}

const SHARE: Ty = Ty::OneOf(&[Ty::Num, <Rest as Arg>::TY, Ty::Record(Weighted::SIGNATURE.params)]);

llmp_stdlib::def! {
    /// Documents in proportion: keys are sources, datasets or their parts, values are shares of the tokens.
    ///
    /// Percentages sum to exactly 100%, with at most one `rest`; bare numbers are parts of their sum. Shares are kept exactly:
    /// after any number of rows every part is within one row of its share, counted from where shares changed last. A stage that wants
    /// more tokens than its parts give within `max_epochs` is refused with what each gives before it begins.
    ///
    /// ```llmp
    /// source books = text("books/*.txt")
    /// source pages = text("pages/*.txt")
    /// mix blend {
    ///   books = 70%
    ///   pages = { weight = 30%, max_epochs = 4 }
    /// }
    /// mix later {
    ///   books = rest
    ///   pages = { weight = 10%, later = [{ after = 2B tokens, weight = 40% }] }
    /// }
    /// ```
    Mix = "mix", rev 1 {}
}

/// The kind.
pub(super) static KIND: Kind =
    Kind { check, ..Kind::new(Mix::SIGNATURE, Form::Open(SHARE), Yields::Mix, elaborate) };

fn check(view: &View<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (key, value) in view.members {
        let mut last = 0;
        for change in changes(value) {
            let problem = |message: String| Problem::error("LLMP0209", key, message);
            if change.after <= last {
                problems.push(problem(format!(
                    "the changes of `{key}` do not rise: one after {} tokens",
                    change.after
                )));
            }
            if change.weight < Rational::from(0) || change.weight > Rational::from(1) {
                let weight = number::show(change.weight);
                problems.push(problem(format!("a later share of `{key}` is {weight}, write a percentage")));
            }
            last = change.after;
        }
    }
    if problems.is_empty()
        && let Some((after, sum)) = curriculum(view.members).err()
    {
        let percent = number::show(sum * Rational::from(100));
        let message = format!("after {after} tokens the shares that are named add up to {percent}%");
        problems.push(Problem::error("LLMP0401", "", message));
    }
    problems
}

/// The later shares of a part as written.
fn changes(value: &Value) -> Vec<Change> {
    let Value::Record(record) = value else { return Vec::new() };
    record.get("later").and_then(|later| <Vec<Change>>::read(later).ok()).unwrap_or_default()
}

/// Tokens, and the shares of all parts from there on.
type Phase = (u64, Vec<Rational>);

/// The shares of all parts, in their order, from each change on. Errors: tokens after which the named shares do not fit into the whole, and
/// their sum.
fn curriculum(members: &Record) -> Result<Vec<Phase>, (u64, Rational)> {
    let (zero, one) = (Rational::from(0), Rational::from(1));
    let parts: Vec<(Rational, Vec<Change>)> = shares(members)
        .unwrap_or_default()
        .into_iter()
        .map(|(key, share, _)| (share, members.get(key).map(changes).unwrap_or_default()))
        .collect();
    let mut places: Vec<u64> = parts.iter().flat_map(|(_, c)| c.iter().map(|c| c.after)).collect();
    places.sort_unstable();
    places.dedup();
    let phase = |after: u64| {
        let named = |changes: &[Change]| changes.iter().rev().find(|c| c.after <= after).map(|c| c.weight);
        let now: Vec<Option<Rational>> = parts.iter().map(|(_, changes)| named(changes)).collect();
        let sum = now.iter().flatten().fold(zero, |sum, n| sum + *n);
        let others =
            parts.iter().zip(&now).filter(|(_, now)| now.is_none()).fold(zero, |sum, ((n, _), _)| sum + *n);
        if sum > one || (others == zero && sum != one) {
            return Err((after, sum));
        }
        let share = |((before, _), now): (&(Rational, Vec<Change>), &Option<Rational>)| match now {
            Some(now) => *now,
            None => number::arithmetic(*before * (one - sum), '/', others).unwrap_or(zero),
        };
        Ok((after, parts.iter().zip(&now).map(share).collect()))
    };
    places.into_iter().map(phase).collect()
}

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
    let later = curriculum(view.members).unwrap_or_default();
    let mut parts = Vec::new();
    for (index, (key, share, max_epochs)) in shares.into_iter().enumerate() {
        let then = later.iter().map(|(after, shares)| (*after, shares[index])).collect();
        match planner.item(&ItemRef::of_key(key, view.program))? {
            Output::Port(port) => parts.push(Part { name: key.to_owned(), port, share, max_epochs, then }),
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

    #[test]
    fn shares_change_and_the_others_share_what_is_left() {
        let percent = |n: i128| Value::number(Rational::new(n, 100));
        let change = |after: i128, n: i128| {
            Value::Record(
                [("after", Value::number(after)), ("weight", percent(n))]
                    .map(|(k, v)| (k.to_owned(), v))
                    .into(),
            )
        };
        let part = |n: i128, then: Vec<Value>| {
            Value::Record(
                [("weight", percent(n)), ("max_epochs", Value::None), ("later", Value::List(then))]
                    .map(|(k, v)| (k.to_owned(), v))
                    .into(),
            )
        };
        let members = |then: Vec<Value>| -> Record {
            [("web", percent(60)), ("code", percent(20)), ("math", part(20, then))]
                .map(|(k, v)| (k.to_owned(), v))
                .into()
        };
        let shares = |n: [i128; 3]| n.map(|n| Rational::new(n, 100)).to_vec();
        let phases = curriculum(&members(vec![change(100, 40), change(900, 0)])).unwrap();
        assert_eq!(phases, [(100, shares([45, 15, 40])), (900, shares([75, 25, 0]))]);
        assert_eq!(curriculum(&members(vec![change(100, 120)])), Err((100, Rational::new(6, 5))));
        assert_eq!(curriculum(&members(Vec::new())), Ok(Vec::new()));
    }
}
