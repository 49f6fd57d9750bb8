//! LLMP0304: A share above 100%, or shares that are fractions and percentages at once, come from mixing up `0.5` and `50%`.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// A share above 100%, or shares that are fractions and percentages at once, come from mixing up `0.5` and
    /// `50%`.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// dataset clean = books |> detect_language() |> keep_if(.lang_score >= 650%) # warning[LLMP0304]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// dataset clean = books |> detect_language() |> keep_if(.lang_score >= 65%)
    /// ```
    "LLMP0304" PercentMixup warning "{message}";
    {
        /// What is wrong, with both sides.
        pub message: String,
        /// Where.
        #[label(primary)]
        pub at: Span,
    }
}
