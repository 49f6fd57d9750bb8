//! LLMP0016: a control character, or one that changes the direction of the text.

use crate::Span;

crate::diagnostic! {
    /// Characters that are not seen can make a program look other than it is: control characters, and those that change
    /// the direction in which text is shown. They may not stand anywhere, not even in comments and text.
    ///
    /// ```llmp
    /// llmp 1
    /// let name = "abc‎def"     # error[LLMP0016]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// let name = "abcdef"
    /// ```
    "LLMP0016" ControlCharacter "the character {name} may not stand in a program", help "remove it";
    {
        /// `U+nnnn`.
        pub name: String,
        /// Its place.
        #[label(primary, "not seen, but here")]
        pub at: Span,
    }
    fix at "remove {name}" => "";
}
