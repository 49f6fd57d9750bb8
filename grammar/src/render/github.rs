//! GitHub workflow commands: a line for each diagnostic, which GitHub shows as an annotation beside the code.

use super::report::{Report, lines, once};
use crate::Severity;
use std::fmt::Write;

/// `::error file=…,line=…,col=…::message`, a line for each diagnostic. Columns count Unicode scalars from 1.
pub fn github(reports: &[Report<'_>]) -> String {
    let mut out = String::new();
    for (report, diag) in once(reports) {
        let word = match diag.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "notice",
        };
        let place = diag.span().map(|span| report.at(span));
        let path = place.as_ref().map_or(report.file, |at| at.path);
        let _ = write!(out, "::{word} file={}", property(path));
        if let Some(at) = place {
            let _ = write!(out, ",line={},endLine={}", at.start.line, at.end.line);
            let _ = write!(out, ",col={}", at.start.column);
            // GitHub takes the end column only where the place lies on one line.
            if at.start.line == at.end.line {
                let _ = write!(out, ",endColumn={}", at.end.column.max(at.start.column));
            }
        }
        let _ = writeln!(out, ",title={}::{}", property(diag.code), message(&lines(diag)));
    }
    out
}

/// A message as one line.
fn message(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A value between the commas of a command.
fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}
