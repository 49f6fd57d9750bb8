//! Expressions over the columns of a row: predicates of `keep_if`, and requirements on metrics.

use serde_json::{Value as Json, json};

use crate::number::{self, Rational};

/// An operator of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `or`.
    Or,
    /// `and`.
    And,
    /// `==`.
    Equal,
    /// `!=`.
    NotEqual,
    /// `<`.
    Less,
    /// `<=`.
    LessEqual,
    /// `>`.
    Greater,
    /// `>=`.
    GreaterEqual,
    /// `in`: member of a list, or inside a range with both ends.
    In,
    /// `+`.
    Add,
    /// `-`.
    Subtract,
    /// `*`.
    Multiply,
    /// `/`.
    Divide,
    /// `mod`.
    Modulo,
}

impl Operator {
    /// As written in the language.
    pub fn text(self) -> &'static str {
        match self {
            Operator::Or => "or",
            Operator::And => "and",
            Operator::Equal => "==",
            Operator::NotEqual => "!=",
            Operator::Less => "<",
            Operator::LessEqual => "<=",
            Operator::Greater => ">",
            Operator::GreaterEqual => ">=",
            Operator::In => "in",
            Operator::Add => "+",
            Operator::Subtract => "-",
            Operator::Multiply => "*",
            Operator::Divide => "/",
            Operator::Modulo => "mod",
        }
    }
}

/// An expression over columns.
#[derive(Debug, Clone, PartialEq)]
pub enum Formula {
    /// A number (percentages are fractions).
    Number(Rational),
    /// Text.
    Text(String),
    /// A truth value.
    Bool(bool),
    /// A column of the row: `.lang`.
    Column(String),
    /// A list of constants: `["en", "de"]`.
    List(Vec<Formula>),
    /// `low..high`, both ends included.
    Range(Box<Formula>, Box<Formula>),
    /// `not x`.
    Not(Box<Formula>),
    /// `-x`.
    Negate(Box<Formula>),
    /// `left op right`.
    Binary(Operator, Box<Formula>, Box<Formula>),
    /// A text function: `count(.text, r"…")`.
    Call(String, Vec<Formula>),
}

impl Formula {
    /// Canonical JSON: a nested list, operator first.
    pub fn canonical(&self) -> Json {
        match self {
            Formula::Number(n) => json!({ "number": number::show(*n) }),
            Formula::Text(t) => json!(t),
            Formula::Bool(b) => json!(b),
            Formula::Column(c) => json!([".", c]),
            Formula::List(items) => json!(["list", items.iter().map(Formula::canonical).collect::<Vec<_>>()]),
            Formula::Range(low, high) => json!(["..", low.canonical(), high.canonical()]),
            Formula::Not(x) => json!(["not", x.canonical()]),
            Formula::Negate(x) => json!(["neg", x.canonical()]),
            Formula::Binary(op, l, r) => json!([op.text(), l.canonical(), r.canonical()]),
            Formula::Call(name, args) => {
                json!(["call", name, args.iter().map(Formula::canonical).collect::<Vec<_>>()])
            }
        }
    }

    /// Names of the columns it reads, in order of first use.
    pub fn columns(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.visit(&mut |node| {
            if let Formula::Column(name) = node
                && !names.contains(&name.as_str())
            {
                names.push(name.as_str());
            }
        });
        names
    }

    fn visit<'a>(&'a self, see: &mut dyn FnMut(&'a Formula)) {
        see(self);
        match self {
            Formula::List(items) | Formula::Call(_, items) => items.iter().for_each(|item| item.visit(see)),
            Formula::Range(l, r) | Formula::Binary(_, l, r) => {
                l.visit(see);
                r.visit(see);
            }
            Formula::Not(x) | Formula::Negate(x) => x.visit(see),
            Formula::Number(_) | Formula::Text(_) | Formula::Bool(_) | Formula::Column(_) => {}
        }
    }
}

impl std::fmt::Display for Formula {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let join = |items: &[Formula]| items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match self {
            Formula::Number(n) => f.write_str(&number::show(*n)),
            Formula::Text(t) => write!(f, "{t:?}"),
            Formula::Bool(b) => write!(f, "{b}"),
            Formula::Column(c) => write!(f, ".{c}"),
            Formula::List(items) => write!(f, "[{}]", join(items)),
            Formula::Range(low, high) => write!(f, "{low}..{high}"),
            Formula::Not(x) => write!(f, "not {}", nested(x)),
            Formula::Negate(x) => write!(f, "-{}", nested(x)),
            Formula::Binary(op, l, r) => write!(f, "{} {} {}", nested(l), op.text(), nested(r)),
            Formula::Call(name, args) => write!(f, "{name}({})", join(args)),
        }
    }
}

fn nested(formula: &Formula) -> String {
    if matches!(formula, Formula::Binary(..)) { format!("({formula})") } else { formula.to_string() }
}
