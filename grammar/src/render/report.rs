//! What the renderers for machines read: one checked program with its diagnostics.

use crate::{Diag, Position, Sources, Span};

/// One checked program.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// Path of its main file.
    pub file: &'a str,
    /// What was said about it and the files that it imports.
    pub diags: &'a [Diag],
    /// The texts that the places lie in.
    pub sources: &'a Sources,
}

/// A place as people count: path, start and end.
pub(super) struct At<'a> {
    pub(super) path: &'a str,
    pub(super) start: Position,
    pub(super) end: Position,
}

impl<'a> Report<'a> {
    /// Where a span lies.
    pub(super) fn at(&self, span: Span) -> At<'a> {
        let place = |offset| self.sources.position(span.file, offset);
        At { path: self.sources.path(span.file), start: place(span.start), end: place(span.end) }
    }
}

/// Everything that is said, each thing once: files that several programs import are reported with the first.
pub(super) fn once<'a>(reports: &'a [Report<'a>]) -> Vec<(&'a Report<'a>, &'a Diag)> {
    let key = |report: &Report<'a>, diag: &Diag| {
        let at = diag.span().map(|span| (report.sources.path(span.file), span.start, span.end));
        (diag.code, at.unwrap_or((report.file, 0, 0)), diag.message.clone())
    };
    let mut seen = std::collections::BTreeSet::new();
    let all = reports.iter().flat_map(|report| report.diags.iter().map(move |diag| (report, diag)));
    all.filter(|(report, diag)| seen.insert(key(report, diag))).collect()
}

/// The message with what to do and further facts, as lines.
pub(super) fn lines(diag: &Diag) -> String {
    let help = diag.help.iter().map(|help| format!("help: {help}"));
    let notes = diag.notes.iter().map(|note| format!("note: {note}"));
    std::iter::once(diag.message.clone()).chain(help).chain(notes).collect::<Vec<_>>().join("\n")
}
