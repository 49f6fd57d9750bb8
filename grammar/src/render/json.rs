//! JSON: a list of diagnostics. Lines and columns start at 1, columns count Unicode scalars, ends are exclusive.

use crate::{Diag, Sources, Span};
use serde_json::{Value, json};

/// The list as text, with two spaces of indentation.
pub fn json(diags: &[Diag], sources: &Sources) -> String {
    format!("{:#}", json_value(diags, sources))
}

/// The list as a JSON value. A diagnostic without a place has `null` for file, start and end.
pub fn json_value(diags: &[Diag], sources: &Sources) -> Value {
    diags.iter().map(|diag| one(diag, sources)).collect()
}

fn one(diag: &Diag, sources: &Sources) -> Value {
    let labels = diag.labels.iter().map(|label| {
        let mut value = json!({ "message": label.text, "primary": label.primary });
        place(&mut value, Some(label.span), sources);
        value
    });
    let fixes = diag.fixes.iter().map(|fix| {
        let edits = fix.edits.iter().map(|edit| {
            let mut value = json!({});
            place(&mut value, Some(edit.span), sources);
            value["replacement"] = json!(edit.replacement);
            value
        });
        json!({ "title": fix.title, "edits": edits.collect::<Vec<_>>() })
    });
    let (labels, fixes): (Vec<Value>, Vec<Value>) = (labels.collect(), fixes.collect());
    let mut value = json!({ "code": diag.code, "severity": diag.severity.word(), "message": diag.message });
    place(&mut value, diag.span(), sources);
    value["labels"] = json!(labels);
    value["help"] = json!(diag.help);
    value["notes"] = json!(diag.notes);
    value["fixes"] = json!(fixes);
    value
}

fn place(value: &mut Value, span: Option<Span>, sources: &Sources) {
    let at = |offset| span.map(|span| sources.position(span.file, offset));
    value["file"] = json!(span.map(|span| sources.path(span.file)));
    value["start"] = json!(span.and_then(|span| at(span.start)));
    value["end"] = json!(span.and_then(|span| at(span.end)));
}
