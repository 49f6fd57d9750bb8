//! Why a run failed: a code, words, the step it happened in, and what to do.

use std::path::Path;

use llmp_stdlib::StepId;

/// A failed run. The command line turns the step into a place in the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Code of the diagnostic, `LLMP10xx` to `LLMP13xx`.
    pub code: &'static str,
    /// What happened, with the file or value.
    pub message: String,
    /// The step, once known.
    pub step: Option<StepId>,
    /// Where it is written, if that is not the step's item.
    pub span: Option<llmp_grammar::Span>,
    /// What to do about it.
    pub help: Option<String>,
    /// The run was asked to stop and what it had is kept; not an error of the program.
    pub stopped: bool,
}

impl Failure {
    /// A failure with its words.
    pub fn new(code: &'static str, message: impl Into<String>) -> Failure {
        Failure { code, message: message.into(), step: None, span: None, help: None, stopped: false }
    }

    /// The operating system refused something.
    pub fn io(action: &str, path: &Path, error: &std::io::Error) -> Failure {
        Failure::new("LLMP1303", format!("cannot {action} {}: {error}", path.display()))
    }

    /// The run was asked to stop.
    pub fn stopped() -> Failure {
        Failure { stopped: true, ..Failure::new("LLMP1304", "stopped; the next run goes on from here") }
    }

    /// Adds what to do.
    pub fn help(mut self, text: impl Into<String>) -> Failure {
        self.help = Some(text.into());
        self
    }

    /// Names the step in which it happened.
    pub fn at(mut self, step: &StepId) -> Failure {
        self.step.get_or_insert_with(|| step.clone());
        self
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.message)
    }
}

impl std::error::Error for Failure {}
