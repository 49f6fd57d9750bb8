//! Rows of data: their state, their columns and parts, and what sources and steps make of them.

use llmp_stdlib::{Column, Flow, Record, Signature, State, Ty, Value};

use crate::program::Row;

/// Rows of data that are wrong or not known: nothing is said about them.
pub(super) fn anything() -> Row {
    Row { open: true, quiet: true, ..Row::default() }
}

/// Arguments that are data: name, index in a list, value.
pub(super) fn data_args<'v>(
    signature: &'static Signature,
    args: &'v Record,
) -> Vec<(&'static str, Option<usize>, &'v Value)> {
    let mut found = Vec::new();
    for param in signature.params {
        match (&param.ty, args.get(param.name)) {
            (Ty::Data(_), Some(value)) => found.push((param.name, None, value)),
            (Ty::List(Ty::Data(_)), Some(Value::List(items))) => {
                found.extend(items.iter().enumerate().map(|(i, item)| (param.name, Some(i), item)));
            }
            _ => {}
        }
    }
    found
}

/// What a source gives. Joined data keep the columns that all of them have.
pub(super) fn source_row(signature: &Signature, flow: Flow, args: &Record, rows: Vec<Row>) -> Row {
    let mut rows = rows.into_iter();
    if let Some(first) = rows.next() {
        let joined = rows.fold(first, |mut all, row| {
            all.open |= row.open;
            all.quiet |= row.quiet;
            all.columns.retain(|name, column| row.columns.get(name) == Some(column));
            all
        });
        return Row { parts: flow.parts, ..joined };
    }
    let state = flow.gives(args, None);
    let mut row = Row { state, parts: flow.parts, ..Row::default() };
    row.columns.extend(state.into_iter().flat_map(columns_of));
    row.columns.insert("id".into(), Column::Text);
    row.columns.extend(flow.added(args));
    // Records with named fields have columns of their own: those of which one is chosen as the text, or that can be declared.
    row.open = signature.param("text").is_some() || signature.param("columns").is_some();
    if let Some(Value::Record(declared)) = args.get("columns") {
        row.columns.extend(declared.iter().filter_map(|(name, ty)| Some((name.clone(), column_type(ty)?))));
        row.open = false;
    }
    row
}

fn column_type(ty: &Value) -> Option<Column> {
    let (Value::Choice(name) | Value::Text(name)) = ty else { return None };
    match name.as_str() {
        "Text" | "Str" => Some(Column::Text),
        "Num" | "Int" => Some(Column::Num),
        "Bool" => Some(Column::Bool),
        _ => None,
    }
}

/// Columns of a state.
fn columns_of(state: State) -> impl Iterator<Item = (String, Column)> {
    state.columns().iter().map(|(name, column)| ((*name).to_owned(), *column))
}

/// What a step makes of its rows.
pub(super) fn flow_on(row: &mut Row, flow: Flow, args: &Record) {
    let state = flow.gives(args, row.state);
    if let Some(state) = state.filter(|s| Some(*s) != row.state || *s == State::Docs) {
        for (name, column) in columns_of(state) {
            row.columns.entry(name).or_insert(column);
        }
    }
    row.state = state;
    row.columns.extend(flow.added(args));
    if !flow.parts.is_empty() {
        row.parts = flow.parts;
    }
}
