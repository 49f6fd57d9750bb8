//! What the declarations of several steps share: rules over shares and numbers, columns that arguments name, lengths of n-grams.

mod lengths;

use llmp_stdlib::{Column, Problem, Record, Value};

pub use lengths::Lengths;

/// A share that is not one: outside 0% to 100%.
pub(super) fn share(name: &str, value: f64) -> Option<Problem> {
    let message = || format!("`{name}` is {value}, must lie between 0% and 100%");
    (!(0.0..=1.0).contains(&value)).then(|| Problem::error("LLMP0209", name, message()))
}

/// A number that must not be zero.
pub(super) fn above_zero(name: &str, value: u64) -> Option<Problem> {
    (value == 0).then(|| Problem::error("LLMP0209", name, format!("`{name}` must be at least 1")))
}

/// The column that a text argument names, unless it is one that every record has.
pub(super) fn named(args: &Record, parameters: &[&str]) -> Vec<String> {
    let name = |parameter: &&str| match args.get(*parameter) {
        Some(Value::Text(name)) if !name.is_empty() => Some(name.clone()),
        _ => None,
    };
    parameters.iter().filter_map(name).collect()
}

/// Columns out of a record of types.
pub(super) fn typed(args: &Record, parameter: &str) -> Vec<(String, Column)> {
    let Some(Value::Record(columns)) = args.get(parameter) else { return Vec::new() };
    let column = |(name, ty): (&String, &Value)| {
        let Value::Choice(ty) = ty else { return None };
        let column = match ty.as_str() {
            "Text" => Column::Text,
            "Num" => Column::Num,
            "Bool" => Column::Bool,
            _ => return None,
        };
        Some((name.clone(), column))
    };
    columns.iter().filter_map(column).collect()
}
