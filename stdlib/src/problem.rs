//! What a built-in finds wrong with its arguments: a code, a place by path, words and fixes; no spans.

/// How bad a problem is.
pub use llmp_grammar::diag::Severity;

/// A suggested replacement of the value at a path.
#[derive(Debug, Clone, PartialEq)]
pub struct Replacement {
    /// What the change does: "use 8 heads".
    pub title: String,
    /// The member or argument whose value is replaced: `["ffn", "hidden"]`; it is added if it was not written.
    pub path: Vec<String>,
    /// The new text of the value.
    pub text: String,
    /// The word of the value that is replaced; `None`: all of it.
    pub word: Option<String>,
}

/// A problem with an item or a call, placed by the path of a member or argument.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// Code of the diagnostic, such as `LLMP0501`.
    pub code: &'static str,
    /// Error, warning or information.
    pub severity: Severity,
    /// The message, naming both sides: "attention: width 768 is not divisible by 7 heads".
    pub message: String,
    /// Where: empty for the whole item, else member, argument, …
    pub path: Vec<String>,
    /// Further places with what to say there.
    pub labels: Vec<(Vec<String>, String)>,
    /// What to do about it.
    pub help: Option<String>,
    /// Machine fixes.
    pub fixes: Vec<Replacement>,
}

impl Problem {
    /// An error at `path` (dotted: `"ffn.hidden"`, `""` for the item itself).
    pub fn error(code: &'static str, path: &str, message: impl Into<String>) -> Self {
        Problem {
            code,
            severity: Severity::Error,
            message: message.into(),
            path: split(path),
            labels: Vec::new(),
            help: None,
            fixes: Vec::new(),
        }
    }

    /// A warning at `path`.
    pub fn warning(code: &'static str, path: &str, message: impl Into<String>) -> Self {
        Problem { severity: Severity::Warning, ..Problem::error(code, path, message) }
    }

    /// Adds what to do.
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Adds another place.
    pub fn label(mut self, path: &str, text: impl Into<String>) -> Self {
        self.labels.push((split(path), text.into()));
        self
    }

    /// Adds a machine fix that sets the value at `path`.
    pub fn fix(mut self, title: impl Into<String>, path: &str, text: impl Into<String>) -> Self {
        let (title, text) = (title.into(), text.into());
        self.fixes.push(Replacement { title, path: split(path), text, word: None });
        self
    }

    /// Adds a machine fix that writes another word in place of one inside of the value at `path`.
    pub fn reword(mut self, path: &str, word: impl Into<String>, text: impl Into<String>) -> Self {
        let (word, text) = (Some(word.into()), text.into());
        self.fixes.push(Replacement { title: format!("write `{text}`"), path: split(path), text, word });
        self
    }
}

fn split(path: &str) -> Vec<String> {
    path.split('.').filter(|part| !part.is_empty()).map(str::to_owned).collect()
}
