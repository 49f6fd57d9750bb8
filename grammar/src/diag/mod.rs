//! Diagnostics: one plain `Diag` for every message, the sink that collects them, and the table row of a code.

mod macros;
mod nearest;
mod sink;

use crate::span::Span;
use std::fmt;

pub use macros::Places;
pub use nearest::nearest;
pub use sink::Sink;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The program is wrong; nothing is run.
    Error,
    /// The program is legal and probably not what was meant.
    Warning,
    /// Worth knowing.
    Info,
}

impl Severity {
    /// The word that renderers print: `error`, `warning`, `info`.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "info",
        }
    }
}

/// A place with a few words that say why it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// The words; may be empty.
    pub text: String,
    /// Whether this is the place of the problem itself.
    pub primary: bool,
}

/// One change of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced; empty for an insertion.
    pub span: Span,
    /// What stands there afterwards.
    pub replacement: String,
}

/// A change that a machine can make, under a title for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// What the fix does, as a command: "write `heads = 32`".
    pub title: String,
    /// Edits that do not overlap.
    pub edits: Vec<Edit>,
}

/// One message with its places: what every renderer reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diag {
    /// `LLMPnnnn`.
    pub code: &'static str,
    /// Error, warning or information.
    pub severity: Severity,
    /// One sentence that can stand alone.
    pub message: String,
    /// Places; the first primary one is where the problem is.
    pub labels: Vec<Label>,
    /// What to do.
    pub help: Option<String>,
    /// Further facts.
    pub notes: Vec<String>,
    /// Changes that a machine can make.
    pub fixes: Vec<Fix>,
}

impl Diag {
    /// A message without places.
    pub fn new(code: &'static str, severity: Severity, message: impl Into<String>) -> Diag {
        let message = message.into();
        Diag { code, severity, message, labels: vec![], help: None, notes: vec![], fixes: vec![] }
    }

    /// Adds a secondary place.
    #[must_use]
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Diag {
        self.labels.push(Label { span, text: text.into(), primary: false });
        self
    }

    /// Adds the place of the problem itself.
    #[must_use]
    pub fn primary_label(mut self, span: Span, text: impl Into<String>) -> Diag {
        self.labels.push(Label { span, text: text.into(), primary: true });
        self
    }

    /// Sets what to do, in place of the declaration's help.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Diag {
        self.help = Some(text.into());
        self
    }

    /// Adds a further fact.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Diag {
        self.notes.push(text.into());
        self
    }

    /// Adds a fix of one edit.
    #[must_use]
    pub fn fix(self, title: impl Into<String>, span: Span, replacement: impl Into<String>) -> Diag {
        self.fix_edits(title, vec![Edit { span, replacement: replacement.into() }])
    }

    /// Adds a fix of several edits.
    #[must_use]
    pub fn fix_edits(mut self, title: impl Into<String>, edits: Vec<Edit>) -> Diag {
        self.fixes.push(Fix { title: title.into(), edits });
        self
    }

    /// Changes the severity.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Diag {
        self.severity = severity;
        self
    }

    /// The place of the problem: the first primary label, else the first label.
    pub fn primary(&self) -> Option<&Label> {
        self.labels.iter().find(|label| label.primary).or_else(|| self.labels.first())
    }

    /// The span of [`Diag::primary`].
    pub fn span(&self) -> Option<Span> {
        self.primary().map(|label| label.span)
    }

    /// Whether this is an error.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Diag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Diag {}

/// For the API and the CLI's own errors. Spans are bytes of the primary label's file; labels of other files are left out.
impl miette::Diagnostic for Diag {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Info => miette::Severity::Advice,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = miette::LabeledSpan> + '_>> {
        let file = self.span()?.file;
        let here = self.labels.iter().filter(move |label| label.span.file == file);
        Some(Box::new(here.map(|label| {
            let text = (!label.text.is_empty()).then(|| label.text.clone());
            let range = (label.span.start as usize, label.span.len());
            if label.primary {
                miette::LabeledSpan::new_primary_with_span(text, range)
            } else {
                miette::LabeledSpan::new_with_span(text, range)
            }
        })))
    }
}

/// A row of a code table: what `llmp explain` and `docs/errors` print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Info {
    /// `LLMPnnnn`.
    pub code: &'static str,
    /// Name of the declaration, such as `UnknownStep`.
    pub name: &'static str,
    /// Usual severity.
    pub severity: Severity,
    /// Why, a failing example and a fixed one, in Markdown.
    pub doc: &'static str,
}

impl Info {
    /// The ```` ```llmp ```` examples of the documentation, in order.
    pub fn examples(&self) -> Vec<String> {
        let mut all = vec![];
        let mut open: Option<String> = None;
        for line in self.doc.lines() {
            let line = line.strip_prefix(' ').unwrap_or(line);
            match &mut open {
                Some(text) if line.starts_with("```") => all.push(std::mem::take(text)),
                Some(text) => {
                    text.push_str(line);
                    text.push('\n');
                    continue;
                }
                None => {}
            }
            open = (open.is_none() && line.trim() == "```llmp").then(String::new);
        }
        all
    }
}
