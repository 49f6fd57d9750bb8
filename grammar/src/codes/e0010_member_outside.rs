//! LLMP0010: a member outside an item.

use crate::Span;

crate::diagnostic! {
    /// `name = value` stands inside an item. A value of its own at the top of a file is a `let`.
    ///
    /// ```llmp
    /// llmp 1
    /// peak = 3e-4             # error[LLMP0010]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// let peak = 3e-4
    /// ```
    "LLMP0010" MemberOutside "`{name} = …` stands outside an item", help "write `let {name} = …`, or move it into an item";
    {
        /// Its name.
        pub name: String,
        /// Its place.
        #[label(primary, "belongs to no item")]
        pub at: Span,
        /// Where `let` would stand; absent for a path, which cannot be a `let`.
        pub start: Option<Span>,
    }
    fix start "make it a `let`" => "let ";
}
