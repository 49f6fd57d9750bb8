//! LLMP0012: All items, params, lets and imports of a file share one table of names, whatever their kinds.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// All items, params, lets and imports of a file share one table of names, whatever their kinds.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("a/*.txt")
    /// source books = text("b/*.txt") # error[LLMP0012]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("a/*.txt")
    /// source more  = text("b/*.txt")
    /// ```
    "LLMP0012" DuplicateItem "`{name}` is defined twice", help "give one of them another name";
    {
        /// The name.
        pub name: String,
        /// Where.
        #[label(primary, "defined again here")]
        pub at: Span,
        /// The first definition.
        #[label("first defined here")]
        pub first: Span,
    }
}
