//! Turns out of columns: what the steps between states share.

use std::borrow::Cow;

use super::Outcome;
use crate::{
    document::{Cell, Document},
    row::Message,
};

/// A column as text: a cell, the text, the words of a list of messages.
pub(super) fn text<'a>(doc: &'a Document, column: &str) -> Option<Cow<'a, str>> {
    match doc.columns.get(column) {
        Some(Cell::Text(text)) => Some(Cow::Borrowed(text)),
        Some(Cell::Num(n)) => Some(Cow::Owned(n.to_string())),
        Some(Cell::Bool(b)) => Some(Cow::Owned(b.to_string())),
        None => doc.part(column),
    }
}

/// A column as turns: the messages that a row has under this name, else its text said by `role`.
///
/// Errors: the document leaves, because it has no such column.
pub(super) fn turns(doc: &Document, column: &str, role: &str) -> Result<Vec<Message>, Outcome> {
    if let Some(turns) = doc.row.as_ref().and_then(|row| row.part(column)) {
        return Ok(turns.clone());
    }
    let text = text(doc, column).ok_or_else(|| missing(column))?;
    Ok(vec![Message::new(role, text)])
}

/// A document without a column that a step needs.
pub(super) fn missing(column: &str) -> Outcome {
    Outcome::Drop(format!("no .{column}").into())
}

/// Puts a system prompt before turns, in place of one that is there.
pub(super) fn with_system(turns: &mut Vec<Message>, system: Option<&String>) {
    let Some(system) = system else { return };
    if turns.first().is_some_and(|turn| turn.role == "system") {
        turns.remove(0);
    }
    turns.insert(0, Message::new("system", system.clone()));
}

/// Removes the columns that became part of the row.
pub(super) fn used(doc: &mut Document, columns: &[&str]) {
    for column in columns {
        doc.columns.remove(*column);
    }
}
