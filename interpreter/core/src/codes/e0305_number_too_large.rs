//! LLMP0305: Numbers are exact, within 128 bits for numerator and denominator.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// Numbers are exact, within 128 bits for numerator and denominator. Division by zero has no value either.
    ///
    /// ```llmp
    /// llmp 1
    /// let steps = 1e99 # error[LLMP0305]
    /// check steps > 0 else "positive"
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// let steps = 1e9
    /// check steps > 0 else "positive"
    /// ```
    "LLMP0305" NumberTooLarge "{message}";
    {
        /// What is wrong, with both sides.
        pub message: String,
        /// Where.
        #[label(primary)]
        pub at: Span,
    }
}
