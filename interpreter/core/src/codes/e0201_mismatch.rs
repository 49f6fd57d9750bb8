//! LLMP0201: A value has another type than its place asks for.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// A value has another type than its place asks for. Nothing is converted in silence.
    ///
    /// ```llmp
    /// llmp 1
    /// tokenizer tok = tokenizer_file("tok.json")
    /// model m {
    ///   tokenizer = tok
    ///   layers    = "4" # error[LLMP0201]
    ///   width     = 192
    ///   heads     = 6
    ///   context   = 256
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
    ///   context   = 256
    /// }
    /// ```
    "LLMP0201" Mismatch "expected {expected}, found {found}";
    {
        /// What stands here usually.
        pub expected: String,
        /// What was found.
        pub found: String,
        /// Where.
        #[label(primary, "this is {found}")]
        pub at: Span,
    }
}
