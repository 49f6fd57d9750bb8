//! LLMP0006: `=` is missing, or `:` stands in its place.

use crate::Span;

crate::diagnostic! {
    /// Members and arguments are written `name = value`, not `name: value`.
    ///
    /// ```llmp
    /// llmp 1
    /// model tiny {
    ///   heads: 32             # error[LLMP0006]
    /// }
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// model tiny {
    ///   heads = 32
    /// }
    /// ```
    "LLMP0006" EqualsMissing "`=` is missing after `{name}`", help "write `{name} = {value}`";
    {
        /// What gets the value.
        pub name: String,
        /// The value as written, or `…`.
        pub value: String,
        /// Where `=` belongs.
        #[label(primary, "`=` belongs here")]
        pub at: Span,
    }
}
