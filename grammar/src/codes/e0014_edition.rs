//! LLMP0014: the edition line is missing, or names an edition that this tool does not know.

use crate::Span;

crate::diagnostic! {
    /// The first line of a file names the edition of the language, so that later editions can change it without breaking
    /// old files. Without the line edition 1 is meant.
    ///
    /// ```llmp
    /// # warning[LLMP0014]
    /// source books = text("books/*.txt")
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// ```
    "LLMP0014" EditionLine warning "{message}", help "write `llmp 1` on the first line";
    {
        /// Which of the two it is.
        pub message: String,
        /// The line, or the start of the file.
        #[label(primary)]
        pub at: Span,
    }
}
