//! LLMP0001: something stands where it cannot stand.

use crate::Span;

crate::diagnostic! {
    /// Something stands where it cannot stand. The label says what could stand there.
    ///
    /// ```llmp
    /// llmp 1
    /// let total = 3 * * 4     # error[LLMP0001]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// let total = 3 * 4
    /// ```
    "LLMP0001" Unexpected "unexpected {what}";
    {
        /// The token as written, or a description of it.
        pub what: String,
        /// What could stand here.
        pub wanted: String,
        /// The token.
        #[label(primary, "{wanted}")]
        pub at: Span,
    }
}
