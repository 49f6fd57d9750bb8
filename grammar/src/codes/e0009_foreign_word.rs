//! LLMP0009: a word or sign of another language.

use crate::Span;

crate::diagnostic! {
    /// A word or sign of another language: `True`, `None`, `null`, `&&`, `||`, `//`, `'text'`.
    ///
    /// ```llmp
    /// llmp 1
    /// let strict = True       # error[LLMP0009]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// let strict = true
    /// ```
    "LLMP0009" ForeignWord "`{word}` belongs to another language", help "write `{meant}`";
    {
        /// As written.
        pub word: String,
        /// What is meant.
        pub meant: String,
        /// Its place.
        #[label(primary, "`{meant}` here")]
        pub at: Span,
    }
    fix at "write `{meant}`" => "{meant}";
}
