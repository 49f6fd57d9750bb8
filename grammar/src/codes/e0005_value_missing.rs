//! LLMP0005: the value after `=` is missing.

use crate::Span;

crate::diagnostic! {
    /// A value is missing. It begins on the line of its `=`; only `\\` lines begin on the next one.
    ///
    /// ```llmp
    /// llmp 1
    /// optimizer slow {
    ///   lr =                  # error[LLMP0005]
    ///   clip = 1.0
    /// }
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// optimizer slow {
    ///   lr = 3e-4
    ///   clip = 1.0
    /// }
    /// ```
    "LLMP0005" ValueMissing "a value is missing after `=`", help "write a value, or remove the member";
    {
        /// The `=`.
        #[label(primary, "nothing follows on this line")]
        pub at: Span,
    }
}
