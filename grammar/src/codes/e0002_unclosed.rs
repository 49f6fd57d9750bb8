//! LLMP0002: a block or bracket is never closed.

use crate::Span;

crate::diagnostic! {
    /// A block or bracket is opened and never closed before its item ends.
    ///
    /// ```llmp
    /// llmp 1
    /// model tiny {            # error[LLMP0002]
    ///   layers = 4
    ///
    /// model big { layers = 32 }
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// model tiny {
    ///   layers = 4
    /// }
    ///
    /// model big { layers = 32 }
    /// ```
    "LLMP0002" Unclosed "this `{open}` is never closed", help "add `{close}`";
    {
        /// The opening bracket.
        pub open: String,
        /// What closes it.
        pub close: String,
        /// The opening bracket's place.
        #[label(primary, "opened here")]
        pub at: Span,
        /// Further brackets that are open there.
        #[label("also open")]
        pub others: Vec<Span>,
    }
}
