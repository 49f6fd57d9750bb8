//! LLMP0213: Data flow through `|>` into steps: `name(arguments)`, or a chain by its name.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// Data flow through `|>` into steps: `name(arguments)`, or a chain by its name.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// dataset clean = books |> dedup_minhash # error[LLMP0213]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// dataset clean = books |> dedup_minhash()
    /// ```
    "LLMP0213" NotAStep "the right side of `|>` is a step, not {found}";
    {
        /// What was found.
        pub found: String,
        /// Where.
        #[label(primary, "not a step")]
        pub at: Span,
    }
}
