//! Values of the language after evaluation, and their canonical JSON.

use indexmap::IndexMap;
use serde_json::{Map, Value as Json, json};

use crate::estimate::Estimate;
use crate::formula::Formula;
use crate::plan::Port;
use crate::unit::{Dim, Quantity};

/// Named values in the order in which they were written (or declared, for defaults).
pub type Record = IndexMap<String, Value>;

/// A constructor or step with all its arguments, defaults filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Its name in the registry.
    pub name: String,
    /// Arguments by parameter name.
    pub args: Record,
}

/// A reference to an item, or to one of its parts (`clean.heldout`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ItemRef {
    /// Unique name of the item in the program.
    pub item: String,
    /// The part, if one is named: `heldout` of a split dataset.
    pub part: Option<String>,
}

/// The name of an item as that of a file or folder: `post[3].tuned` is `post.3.tuned`, `wiki["de"]` is `wiki.de`.
/// Characters that no file system minds are kept, others become `_`.
pub fn file_name(item: &str) -> String {
    let kept = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let parts = item.replace(['"', ']'], "").replace('[', ".");
    parts.chars().map(|c| if kept(c) { c } else { '_' }).collect()
}

impl ItemRef {
    /// The item or part that a key of a mixture names. Names of items may hold dots themselves: `post[3].sampled`.
    pub fn of_key(key: &str, program: &dyn crate::kind::Program) -> ItemRef {
        match key.rsplit_once('.') {
            Some((item, part)) if program.view(key).is_none() => {
                ItemRef { item: item.to_owned(), part: Some(part.to_owned()) }
            }
            _ => ItemRef { item: key.to_owned(), part: None },
        }
    }
}

/// A value of the language.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `none`.
    None,
    /// `true` or `false`.
    Bool(bool),
    /// An exact number with its dimension.
    Number(Quantity),
    /// A number known within bounds: `about(8T tokens)`.
    About(Estimate),
    /// Text.
    Text(String),
    /// A value of an enumeration, such as `bf16`.
    Choice(String),
    /// A list.
    List(Vec<Value>),
    /// `a..b`, both ends included.
    Range(Box<Value>, Box<Value>),
    /// A record.
    Record(Record),
    /// A constructor with its arguments.
    Call(Call),
    /// An expression over columns (a predicate or a formula).
    Formula(Formula),
    /// Data: a head and the steps after it. The head is an item, or a constructor of a source.
    Pipe(Box<Value>, Vec<Call>),
    /// An item of the program.
    Item(ItemRef),
    /// The result of a plan step; only while a plan is made.
    Port(Port),
    /// The n-th input of a plan step; only inside a step of a plan.
    Input(usize),
}

impl Value {
    /// A plain number.
    pub fn number(amount: impl Into<crate::Rational>) -> Value {
        Value::Number(Quantity::new(amount.into(), Dim::NONE))
    }

    /// Text.
    pub fn text(text: impl Into<String>) -> Value {
        Value::Text(text.into())
    }

    /// Canonical JSON: sorted keys, numbers as exact text. Equal values give equal bytes.
    pub fn canonical(&self) -> Json {
        match self {
            Value::None => Json::Null,
            Value::Bool(b) => json!(b),
            Value::Number(q) => json!(q.show()),
            Value::About(e) => {
                json!({ "about": [crate::number::show(e.low), crate::number::show(e.high), e.dim.show()] })
            }
            Value::Text(t) | Value::Choice(t) => json!(t),
            Value::List(items) => Json::Array(items.iter().map(Value::canonical).collect()),
            Value::Range(low, high) => json!({ "range": [low.canonical(), high.canonical()] }),
            Value::Record(record) => canonical_record(record),
            Value::Call(call) => json!({ "call": call.name, "with": canonical_record(&call.args) }),
            Value::Formula(formula) => json!({ "formula": formula.canonical() }),
            Value::Pipe(head, steps) => {
                let steps: Vec<Json> = steps.iter().map(|c| Value::Call(c.clone()).canonical()).collect();
                json!({ "pipe": head.canonical(), "steps": steps })
            }
            Value::Item(item) => json!({ "item": item.item, "part": item.part }),
            Value::Port(port) => json!({ "port": port.step.0, "part": port.part }),
            Value::Input(index) => json!({ "input": index }),
        }
    }

    /// Rebuilds the value with `change` applied to every leaf and node, children first.
    pub fn map(self, change: &mut dyn FnMut(Value) -> Value) -> Value {
        let mapped = match self {
            Value::List(items) => Value::List(items.into_iter().map(|v| v.map(change)).collect()),
            Value::Range(low, high) => Value::Range(Box::new(low.map(change)), Box::new(high.map(change))),
            Value::Record(record) => Value::Record(map_record(record, change)),
            Value::Call(call) => Value::Call(Call { name: call.name, args: map_record(call.args, change) }),
            other => other,
        };
        change(mapped)
    }
}

/// [`Value::map`] over every value of a record.
pub fn map_record(record: Record, change: &mut dyn FnMut(Value) -> Value) -> Record {
    record.into_iter().map(|(name, value)| (name, value.map(change))).collect()
}

/// A record as canonical JSON with sorted keys.
pub fn canonical_record(record: &Record) -> Json {
    let mut sorted: Vec<_> = record.iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(b.0));
    Json::Object(sorted.into_iter().map(|(k, v)| (k.clone(), v.canonical())).collect::<Map<_, _>>())
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::None => f.write_str("none"),
            Value::Bool(b) => write!(f, "{b}"),
            Value::Number(q) => f.write_str(&q.show()),
            Value::About(e) => write!(f, "{e}"),
            Value::Text(t) => write!(f, "{t:?}"),
            Value::Choice(t) => f.write_str(t),
            Value::List(items) => {
                f.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if i > 0 { ", " } else { "" })?;
                }
                f.write_str("]")
            }
            Value::Range(low, high) => write!(f, "{low}..{high}"),
            Value::Record(record) => {
                f.write_str("{ ")?;
                show_fields(f, record)?;
                f.write_str(" }")
            }
            Value::Call(call) => show_call(f, call),
            Value::Formula(formula) => write!(f, "{formula}"),
            Value::Pipe(head, steps) => {
                write!(f, "{head}")?;
                steps.iter().try_for_each(|step| {
                    f.write_str(" |> ")?;
                    show_call(f, step)
                })
            }
            Value::Item(item) => {
                f.write_str(&item.item)?;
                item.part.iter().try_for_each(|part| write!(f, ".{part}"))
            }
            Value::Port(port) => write!(f, "{}", port.step.0),
            Value::Input(index) => write!(f, "input {index}"),
        }
    }
}

fn show_call(f: &mut std::fmt::Formatter<'_>, call: &Call) -> std::fmt::Result {
    write!(f, "{}(", call.name)?;
    show_fields(f, &call.args)?;
    f.write_str(")")
}

fn show_fields(f: &mut std::fmt::Formatter<'_>, record: &Record) -> std::fmt::Result {
    for (i, (name, value)) in record.iter().enumerate() {
        write!(f, "{}{name} = {value}", if i > 0 { ", " } else { "" })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn names_of_items_become_names_of_files() {
        let names = ["core", "wiki[\"de\"]", "post[3].tuned", "web[\"../a b\"].heldout"];
        assert_eq!(names.map(file_name), ["core", "wiki.de", "post.3.tuned", "web..._a_b.heldout"]);
    }
}
