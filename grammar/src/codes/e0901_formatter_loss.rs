//! LLMP0901: the formatter would have lost something.

use crate::Span;

crate::diagnostic! {
    /// The formatter compares what it was given with what it would write: the same tokens but for commas at ends, the same
    /// comments in the same order. If they differ, which is a mistake in the formatter, the file stays as it is.
    "LLMP0901" FormatterLoss "formatting would change the program, so the file is left as it is", help "please report this file";
    {
        /// What differs.
        pub what: String,
        /// Where it differs first.
        #[label(primary, "{what}")]
        pub at: Span,
    }
}
