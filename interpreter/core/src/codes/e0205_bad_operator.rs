//! LLMP0205: An operator is used between values for which it has no meaning, or comparisons are chained: `a < b < c` would compare a truth value with `c`.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// An operator is used between values for which it has no meaning, or comparisons are chained: `a < b < c`
    /// would compare a truth value with `c`.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// dataset clean = books |> detect_language() |> keep_if(0.5 < .lang_score < 0.9) # error[LLMP0205]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// dataset clean = books |> detect_language() |> keep_if(.lang_score in 0.5..0.9)
    /// ```
    "LLMP0205" BadOperator "{message}";
    {
        /// What is wrong, with both sides.
        pub message: String,
        /// Where.
        #[label(primary)]
        pub at: Span,
    }
}
