//! Collects diagnostics: stages never stop at the first problem.

use super::{Diag, Severity};

/// All diagnostics of a stage, in the order in which they were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sink {
    diags: Vec<Diag>,
}

impl Sink {
    /// An empty sink.
    pub fn new() -> Sink {
        Sink::default()
    }

    /// Adds one diagnostic.
    pub fn push(&mut self, diag: impl Into<Diag>) {
        self.diags.push(diag.into());
    }

    /// Adds all diagnostics of another stage.
    pub fn extend(&mut self, other: impl IntoIterator<Item = Diag>) {
        self.diags.extend(other);
    }

    /// Whether an error is among them.
    pub fn has_errors(&self) -> bool {
        self.diags.iter().any(|diag| diag.severity == Severity::Error)
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.diags.is_empty()
    }

    /// Number of diagnostics.
    pub fn len(&self) -> usize {
        self.diags.len()
    }

    /// The diagnostics in the order of finding.
    pub fn iter(&self) -> std::slice::Iter<'_, Diag> {
        self.diags.iter()
    }

    /// By file and place, then severity and code; equal ones once.
    pub fn into_sorted(mut self) -> Vec<Diag> {
        let key = |diag: &Diag| (diag.span(), diag.severity, diag.code, diag.message.clone());
        self.diags.sort_by_cached_key(key);
        self.diags.dedup_by(|a, b| key(a) == key(b));
        self.diags
    }
}

impl IntoIterator for Sink {
    type Item = Diag;
    type IntoIter = std::vec::IntoIter<Diag>;

    fn into_iter(self) -> Self::IntoIter {
        self.diags.into_iter()
    }
}

impl<'a> IntoIterator for &'a Sink {
    type Item = &'a Diag;
    type IntoIter = std::slice::Iter<'a, Diag>;

    fn into_iter(self) -> Self::IntoIter {
        self.diags.iter()
    }
}
