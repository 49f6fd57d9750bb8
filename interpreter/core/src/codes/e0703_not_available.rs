//! LLMP0703: The program is meaningful, but this version of the tool cannot do what it asks for.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// The program is meaningful, but this version of the tool cannot do what it asks for.
    ///
    /// ```llmp
    /// llmp 1
    /// rounds post for r in 1..2 {
    ///   param few: Int = 2 # error[LLMP0703]
    /// }
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// param few: Int = 2
    /// rounds post for r in 1..few {
    ///   source books = text("books/{r}/*.txt")
    /// }
    /// ```
    "LLMP0703" NotAvailable "{what} is not available in this version";
    {
        /// What is asked for.
        pub what: String,
        /// Where.
        #[label(primary, "not in this version")]
        pub at: Span,
    }
}
