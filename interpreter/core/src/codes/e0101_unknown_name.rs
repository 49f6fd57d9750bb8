//! LLMP0101: A name is neither defined in the file, nor imported, nor a built-in that can stand here.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// A name is neither defined in the file, nor imported, nor a built-in that can stand here.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// dataset clean = book |> dedup_minhash() # error[LLMP0101]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// dataset clean = books |> dedup_minhash()
    /// ```
    "LLMP0101" UnknownName "no {what} is called `{name}`";
    {
        /// What was looked for: name, step, constructor.
        pub what: String,
        /// As written.
        pub name: String,
        /// Where.
        #[label(primary, "not defined")]
        pub at: Span,
    }
}
