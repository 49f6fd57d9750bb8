//! LLMP0206: Both branches of `if` must have the same type, since the place around it has one.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// Both branches of `if` must have the same type, since the place around it has one.
    ///
    /// ```llmp
    /// llmp 1
    /// param big: Bool = false
    /// let size = if big then 12 else "four" # error[LLMP0206]
    /// check size == 4 else "size"
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// param big: Bool = false
    /// let size = if big then 12 else 4
    /// check size == 4 else "size"
    /// ```
    "LLMP0206" BranchesDiffer "`then` gives {then} and `else` gives {otherwise}";
    {
        /// Left type.
        pub then: String,
        /// Right type.
        pub otherwise: String,
        /// Where.
        #[label(primary, "{otherwise}")]
        pub at: Span,
        /// The other branch.
        #[label("{then}")]
        pub other: Span,
    }
}
