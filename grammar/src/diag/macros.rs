//! `diagnostic!`: one declaration per code gives the struct of facts, its row in the code table and its `Diag`.

use crate::span::Span;

/// Places that a field marked `#[label(…)]` may hold: a span, an optional one, or several.
pub trait Places {
    /// The places, in order.
    fn places(&self) -> Vec<Span>;
}

impl Places for Span {
    fn places(&self) -> Vec<Span> {
        vec![*self]
    }
}

impl Places for Option<Span> {
    fn places(&self) -> Vec<Span> {
        self.iter().copied().collect()
    }
}

impl Places for Vec<Span> {
    fn places(&self) -> Vec<Span> {
        self.clone()
    }
}

/// Declares a diagnostic. The documentation says why it is an error and holds two ```` ```llmp ```` examples: the failing
/// one, whose first line or any other carries `# error[LLMPnnnn]` (or `warning`, `info`), and the fixed one.
///
/// ```
/// use llmp_grammar::{Diag, FileId, Severity, Span};
///
/// llmp_grammar::diagnostic! {
///     /// A stage names a step that the registry lacks.
///     "LLMP0101" UnknownStep "no step is called `{name}`", help "write `{near}`";
///     {
///         /// As written.
///         pub name: String,
///         pub near: String,
///         #[label(primary, "not a step")]
///         pub at: Span,
///         #[label("the documents of `{name}` come from here")]
///         pub pipe: Option<Span>,
///     }
///     fix at "write `{near}`" => "{near}";
/// }
///
/// let at = Span::new(FileId(0), 9, 19);
/// let diag = Diag::from(UnknownStep { name: "word_cuont".into(), near: "word_count".into(), at, pipe: None });
/// assert_eq!(diag.message, "no step is called `word_cuont`");
/// assert_eq!(diag.help.as_deref(), Some("write `word_count`"));
/// assert_eq!(diag.labels.len(), 1);
/// assert_eq!(diag.fixes[0].edits[0].replacement, "word_count");
/// assert_eq!(UnknownStep::INFO.severity, Severity::Error);
/// ```
///
/// A word `warning` or `info` before the message sets the severity. Message, help, labels and fixes are formatted from the
/// fields, which must have `Display` where they are named. `help` and fixes may be left out and given where the diagnostic
/// is raised: `Diag::from(problem).help(…).fix(…)`. Any number of `fix FIELD "title" => "text";` lines may follow the body.
#[macro_export]
macro_rules! diagnostic {
    (
        $(#[doc = $doc:literal])*
        $code:literal $name:ident $($severity:ident)? $message:literal $(, help $help:literal)? $(,)? ;
        { $( $(#[doc = $field_doc:literal])* $(#[label($($label:tt)*)])? pub $field:ident : $type:ty ),* $(,)? }
        $( fix $place:ident $title:literal => $replacement:literal ; )*
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug)]
        pub struct $name { $( $(#[doc = $field_doc])* pub $field: $type ),* }

        impl $name {
            /// Row of this diagnostic in the table of codes.
            pub const INFO: $crate::Info = $crate::Info {
                code: $code,
                name: stringify!($name),
                severity: $crate::__diagnostic_severity!($($severity)?),
                doc: concat!("" $(, $doc, "\n")*),
            };
        }

        impl ::std::convert::From<$name> for $crate::Diag {
            #[allow(unused_variables, unused_mut, clippy::useless_format)]
            fn from(facts: $name) -> $crate::Diag {
                let $name { $($field),* } = &facts;
                let mut diag = $crate::Diag::new($code, $name::INFO.severity, format!($message));
                $( $( $crate::__diagnostic_label!(diag, $field, $($label)*); )? )*
                $( diag = diag.help(format!($help)); )?
                $(
                    for place in $crate::Places::places($place) {
                        diag = diag.fix(format!($title), place, format!($replacement));
                    }
                )*
                diag
            }
        }
    };
}

/// Severity of a declaration; part of [`diagnostic!`](crate::diagnostic).
#[doc(hidden)]
#[macro_export]
macro_rules! __diagnostic_severity {
    () => {
        $crate::Severity::Error
    };
    (error) => {
        $crate::Severity::Error
    };
    (warning) => {
        $crate::Severity::Warning
    };
    (info) => {
        $crate::Severity::Info
    };
}

/// Labels of one field; part of [`diagnostic!`](crate::diagnostic).
#[doc(hidden)]
#[macro_export]
macro_rules! __diagnostic_label {
    ($diag:ident, $field:ident, primary) => {
        for place in $crate::Places::places($field) {
            $diag = $diag.primary_label(place, "");
        }
    };
    ($diag:ident, $field:ident, primary, $text:literal) => {
        for place in $crate::Places::places($field) {
            $diag = $diag.primary_label(place, format!($text));
        }
    };
    ($diag:ident, $field:ident, $text:literal) => {
        for place in $crate::Places::places($field) {
            $diag = $diag.label(place, format!($text));
        }
    };
}
