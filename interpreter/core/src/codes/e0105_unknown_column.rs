//! LLMP0105: `.name` reads a column of the row at hand: one that the source has, or one that an earlier step of the pipe adds.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// `.name` reads a column of the row at hand: one that the source has, or one that an earlier step of the pipe
    /// adds.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// dataset clean = books |> keep_if(.lang == "en") # error[LLMP0105]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// dataset clean = books |> detect_language() |> keep_if(.lang == "en")
    /// ```
    "LLMP0105" UnknownColumn "there is no column `.{name}` here";
    {
        /// The column.
        pub name: String,
        /// Where.
        #[label(primary, "not a column of these rows")]
        pub at: Span,
    }
}
