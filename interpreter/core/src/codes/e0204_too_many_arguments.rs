//! LLMP0204: Arguments without a name fill the parameters in order, and there are more of them than parameters.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// Arguments without a name fill the parameters in order, and there are more of them than parameters.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// dataset clean = books |> detect_language() |> keep_if(.lang == "en", 2) # error[LLMP0204]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// dataset clean = books |> detect_language() |> keep_if(.lang == "en")
    /// ```
    "LLMP0204" TooManyArguments "`{callee}` takes at most {most} arguments";
    {
        /// What is called.
        pub callee: String,
        /// How many.
        pub most: String,
        /// Where.
        #[label(primary, "one too many")]
        pub at: Span,
    }
}
