//! Types that a signature can ask for: static data, so that declarations cost nothing.

use crate::kind::Yields;
use crate::signature::{Param, Signature, State};
use crate::unit::Dim;

/// What a parameter or member accepts.
#[derive(Debug, Clone, Copy)]
pub enum Ty {
    /// `true` or `false`.
    Bool,
    /// Text.
    Text,
    /// A path or glob, relative to the file that names it.
    Path,
    /// A whole number.
    Int,
    /// Any number.
    Num,
    /// A number in one of these dimensions. A bare number takes the dimension where there is only one;
    /// [`Dim::NONE`] among several means a percentage of the whole.
    Quantity(&'static [Dim]),
    /// A quantity in one of these dimensions, exact or as `about(…)`.
    Estimate(&'static [Dim]),
    /// The type or `none`.
    Optional(&'static Ty),
    /// A list.
    List(&'static Ty),
    /// `a..b`.
    Range(&'static Ty),
    /// One name out of a closed set.
    Choice(&'static Choices),
    /// One constructor out of a family: `cosine(…)`.
    Family(&'static Family),
    /// An item (or pipe) that yields one of these.
    Item(&'static [Yields]),
    /// Data in one of these states: an item, its part, or a pipe.
    Data(&'static [State]),
    /// A truth value over columns of the row.
    Predicate,
    /// A number over columns of the row.
    Formula,
    /// A record with exactly these fields.
    Record(&'static [Param]),
    /// A record with any keys and values of one type.
    Map(&'static Ty),
    /// Any of several types, tried in order.
    OneOf(&'static [Ty]),
}

/// A closed set of names.
#[derive(Debug)]
pub struct Choices {
    /// Name of the set, for messages: `precision`.
    pub name: &'static str,
    /// Each value with its documentation.
    pub values: &'static [(&'static str, &'static str)],
}

/// A union of constructors.
#[derive(Debug)]
pub struct Family {
    /// Name of the family: `schedule`.
    pub name: &'static str,
    /// What the family is for.
    pub doc: &'static str,
    /// Its constructors, sorted by name.
    pub members: &'static [&'static Signature],
    /// What a constructor stands for where an item is expected: `from = pick(a, b, by = …)`.
    pub yields: Option<Yields>,
}

impl Family {
    /// The constructor called `name`.
    pub fn get(&self, name: &str) -> Option<&'static Signature> {
        self.members.iter().find(|s| s.name == name).copied()
    }
}

impl Ty {
    /// Words for messages and documentation: `tokens or steps`, `list of text`.
    pub fn show(&self) -> String {
        match self {
            Ty::Bool => "true or false".into(),
            Ty::Text => "text".into(),
            Ty::Path => "a path".into(),
            Ty::Int => "a whole number".into(),
            Ty::Num => "a number".into(),
            Ty::Quantity(dims) => {
                let one = |d: &Dim| if *d == Dim::NONE { "%".to_owned() } else { d.show() };
                dims.iter().map(one).collect::<Vec<_>>().join(" or ")
            }
            Ty::Estimate(dims) => format!("{}, exact or `about(…)`", Ty::Quantity(dims).show()),
            Ty::Optional(ty) => format!("{} or none", ty.show()),
            Ty::List(ty) => format!("list of {}", ty.show()),
            Ty::Range(ty) => format!("range of {}", ty.show()),
            Ty::Choice(set) => set.values.iter().map(|v| v.0).collect::<Vec<_>>().join(" | "),
            Ty::Family(family) => format!("a {}", family.name),
            Ty::Item(kinds) => kinds.iter().map(|y| y.show()).collect::<Vec<_>>().join(" or "),
            Ty::Data(states) => states.iter().map(|s| s.show()).collect::<Vec<_>>().join(" or "),
            Ty::Predicate => "a condition on columns".into(),
            Ty::Formula => "a number over columns".into(),
            Ty::Record(fields) => {
                format!(
                    "{{ {} }}",
                    fields
                        .iter()
                        .map(|f| format!("{}: {}", f.name, f.ty.show()))
                        .collect::<Vec<_>>()
                        .join(", ")
                )
            }
            Ty::Map(ty) => format!("record of {}", ty.show()),
            Ty::OneOf(tys) => tys.iter().map(Ty::show).collect::<Vec<_>>().join(" or "),
        }
    }
}
