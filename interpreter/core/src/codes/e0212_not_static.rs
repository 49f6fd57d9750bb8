//! LLMP0212: The index of a family or of rounds must be known before anything is evaluated.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// The index of a family or of `rounds` must be known before any item is: a list or a range of texts and numbers,
    /// out of literals, `let`s and `param`s.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// dataset part[i in 1..books.documents] = books |> gopher_quality(min_doc_words = i) # error[LLMP0212]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// param parts: Int = 3
    /// source books = text("books/*.txt")
    /// dataset part[i in 1..parts] = books |> gopher_quality(min_doc_words = i)
    /// dataset all_parts = all(part)
    /// ```
    "LLMP0212" NotStatic "{what} is not known before the run",
        help "write a list or a range out of literals, `let`s and `param`s";
    {
        /// What should be.
        pub what: String,
        /// Where.
        #[label(primary, "must be static")]
        pub at: Span,
    }
}
