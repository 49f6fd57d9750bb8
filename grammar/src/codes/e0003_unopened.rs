//! LLMP0003: a closing bracket has no opener.

use crate::Span;

crate::diagnostic! {
    /// A closing bracket closes nothing, or is of another kind than the bracket that is open.
    ///
    /// ```llmp
    /// llmp 1
    /// let betas = [0.9, 0.95)     # error[LLMP0003]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// let betas = [0.9, 0.95]
    /// ```
    "LLMP0003" Unopened "this `{close}` closes nothing";
    {
        /// The bracket.
        pub close: String,
        /// Its place.
        #[label(primary, "nothing of this kind is open here")]
        pub at: Span,
        /// The bracket that is open, if it is of another kind.
        #[label("this one is open")]
        pub open: Option<Span>,
    }
}
