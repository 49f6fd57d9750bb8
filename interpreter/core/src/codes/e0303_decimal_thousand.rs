//! LLMP0303: Contexts and vocabularies are usually powers of two, and `k` is a thousand.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// Contexts and vocabularies are usually powers of two, and `k` is a thousand. Write the digits, or `Ki`.
    ///
    /// ```llmp
    /// llmp 1
    /// tokenizer tok = tokenizer_file("tok.json")
    /// model m {
    ///   tokenizer = tok
    ///   layers    = 4
    ///   width     = 192
    ///   heads     = 6
    ///   context   = 8k # warning[LLMP0303]
    /// }
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// tokenizer tok = tokenizer_file("tok.json")
    /// model m {
    ///   tokenizer = tok
    ///   layers    = 4
    ///   width     = 192
    ///   heads     = 6
    ///   context   = 8Ki
    /// }
    /// ```
    "LLMP0303" DecimalThousand warning "`{written}` is {decimal}; `{binary}` is {exact}";
    {
        /// As written.
        pub written: String,
        /// Its value.
        pub decimal: String,
        /// The binary suffix.
        pub binary: String,
        /// Its value.
        pub exact: String,
        /// Where.
        #[label(primary, "usually a power of two")]
        pub at: Span,
    }
}
