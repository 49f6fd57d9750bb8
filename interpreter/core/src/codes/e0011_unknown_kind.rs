//! LLMP0011: The first word of an item names its kind, and the registry has no kind of that name.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// The first word of an item names its kind, and the registry has no kind of that name.
    ///
    /// ```llmp
    /// llmp 1
    /// sorce books = text("books/*.txt") # error[LLMP0011]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// ```
    "LLMP0011" UnknownKind "no kind of item is called `{name}`";
    {
        /// As written.
        pub name: String,
        /// Where.
        #[label(primary, "not a kind")]
        pub at: Span,
    }
}
