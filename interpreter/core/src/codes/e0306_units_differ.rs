//! LLMP0306: Sums and comparisons need the same unit on both sides.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// Sums and comparisons need the same unit on both sides.
    ///
    /// ```llmp
    /// llmp 1
    /// let budget = 4M tokens + 20 steps # error[LLMP0306]
    /// check budget > 1M tokens else "budget"
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// let budget = 4M tokens + 2M tokens
    /// check budget > 1M tokens else "budget"
    /// ```
    "LLMP0306" UnitsDiffer "{left} and {right} cannot be combined by `{operator}`";
    {
        /// Dimension on the left.
        pub left: String,
        /// Dimension on the right.
        pub right: String,
        /// As written.
        pub operator: String,
        /// Where.
        #[label(primary, "{left} {operator} {right}")]
        pub at: Span,
    }
}
