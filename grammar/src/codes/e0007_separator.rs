//! LLMP0007: a comma or line end is missing between members, or there is one too many.

use crate::Span;

crate::diagnostic! {
    /// Members end at their line or at a comma, arguments and elements at a comma. One is missing, or one is too many.
    ///
    /// ```llmp
    /// llmp 1
    /// eval quality { model = run suites = [] }      # error[LLMP0007]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// eval quality { model = run, suites = [] }
    /// ```
    "LLMP0007" Separator "{message}";
    {
        /// Which of the two it is.
        pub message: String,
        /// What to do here.
        pub advice: String,
        /// Where.
        #[label(primary, "{advice}")]
        pub at: Span,
    }
}
