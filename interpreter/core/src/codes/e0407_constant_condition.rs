//! LLMP0407: A condition that reads no column keeps all rows or none.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// A condition that reads no column keeps all rows or none.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// dataset clean = books |> keep_if(1 < 2) # warning[LLMP0407]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// dataset clean = books |> keep_if(words(.text) > 2)
    /// ```
    "LLMP0407" ConstantCondition warning "this condition is always {value}";
    {
        /// true or false.
        pub value: String,
        /// Where.
        #[label(primary, "reads no column")]
        pub at: Span,
    }
}
