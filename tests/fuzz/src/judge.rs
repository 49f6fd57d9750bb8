//! What the tools say of a program: diagnostics and plan hash, with the registry of the binary.

use std::collections::BTreeMap;

use llmp_grammar::diag::Severity;
use llmp_grammar::{Diag, Fix};
use llmp_interpreter::{Options, check, load, plan};
use llmp_stdlib::Registry;

use crate::corpus::{self, Files};

/// The registry and the files of the repository.
pub struct Judge {
    registry: Registry,
    files: BTreeMap<String, String>,
}

/// What is said of one program.
pub struct Verdict {
    /// Errors and warnings, by place.
    pub diags: Vec<Diag>,
    /// Hash of its plan; empty where an error stands in the way.
    pub hash: String,
    /// The texts that diagnostics point into.
    pub sources: llmp_grammar::Sources,
}

impl Verdict {
    /// Whether there is an error.
    pub fn failed(&self) -> bool {
        self.diags.iter().any(Diag::is_error)
    }

    /// Codes, each with its message.
    pub fn words(&self) -> Vec<String> {
        self.diags.iter().map(|d| format!("{} {}", d.code, d.message)).collect()
    }
}

impl Judge {
    /// Reads the repository once.
    pub fn new() -> Judge {
        let files = corpus::everything().into_iter().map(|p| (p.path, p.text)).collect();
        Judge { registry: llmp_exec::registry(), files }
    }

    /// Loads, checks and plans a program that stands at `path`.
    pub fn judge(&self, path: &str, text: &str) -> Verdict {
        self.look(path, text, true)
    }

    /// Loads and checks only.
    pub fn check(&self, path: &str, text: &str) -> Verdict {
        self.look(path, text, false)
    }

    fn look(&self, path: &str, text: &str, planned: bool) -> Verdict {
        let (loaded, mut sink) = load(&Files::new(&self.files, path, text), path);
        let (program, said) = check(&loaded, &self.registry, &Options::default());
        sink.extend(said.into_sorted());
        let hash = if planned && !sink.has_errors() {
            let (plan, said) = plan(&program, &self.registry);
            sink.extend(said.into_sorted());
            plan.hash()
        } else {
            String::new()
        };
        let diags = sink.into_sorted().into_iter().filter(|d| d.severity != Severity::Info).collect();
        Verdict { diags, hash, sources: program.sources }
    }

    /// The registry.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }
}

impl Default for Judge {
    fn default() -> Judge {
        Judge::new()
    }
}

/// A text with a fix applied; `None` if the fix touches another file.
pub fn fixed(text: &str, fix: &Fix) -> Option<String> {
    let mut edits = fix.edits.clone();
    edits.sort_by_key(|e| std::cmp::Reverse((e.span.start, e.span.end)));
    let mut out = text.to_owned();
    for edit in edits {
        let range = edit.span.range();
        if edit.span.file.0 != 0 || out.get(range.clone()).is_none() {
            return None;
        }
        out.replace_range(range, &edit.replacement);
    }
    Some(out)
}
