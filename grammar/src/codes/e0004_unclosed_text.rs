//! LLMP0004: text is not closed on its line.

use crate::Span;

crate::diagnostic! {
    /// Text between quotes ends on the line on which it begins. Long text stands on `\\` lines, a brace in text is `{{`.
    ///
    /// ```llmp
    /// llmp 1
    /// # error[LLMP0004]
    /// source books = text("books/*.txt)
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// ```
    "LLMP0004" UnclosedText "this text is not closed on its line", help "{advice}";
    {
        /// What to do.
        pub advice: String,
        /// From the quote to the end of the text.
        #[label(primary, "opened here")]
        pub at: Span,
    }
}
