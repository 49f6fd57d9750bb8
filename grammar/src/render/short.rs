//! One line per diagnostic: `file:line:column: error[CODE]: message`.

use crate::{Diag, Sources};
use std::fmt::Write;

/// One line per diagnostic, in the order given.
pub fn short(diags: &[Diag], sources: &Sources) -> String {
    let mut out = String::new();
    for diag in diags {
        if let Some(span) = diag.span() {
            let at = sources.position(span.file, span.start);
            let _ = write!(out, "{}:{}:{}: ", sources.path(span.file), at.line, at.column);
        }
        let _ = writeln!(out, "{}[{}]: {}", diag.severity.word(), diag.code, diag.message);
    }
    out
}
