//! LLMP0902: An `@allow` stands before an item or member that raises no such warning.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// An `@allow` stands before an item or member that raises no such warning.
    ///
    /// ```llmp
    /// llmp 1
    /// tokenizer tok = tokenizer_file("tok.json")
    /// @allow(LLMP0303) # warning[LLMP0902]
    /// model m {
    ///   tokenizer = tok
    ///   layers    = 4
    ///   width     = 192
    ///   heads     = 6
    ///   context   = 256
    /// }
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// tokenizer tok = tokenizer_file("tok.json")
    /// @allow(LLMP0303)
    /// model m {
    ///   tokenizer = tok
    ///   layers    = 4
    ///   width     = 192
    ///   heads     = 6
    ///   context   = 8k
    /// }
    /// ```
    "LLMP0902" NeedlessAllow warning "`@allow({code})` suppresses nothing";
    {
        /// The code.
        pub code: String,
        /// Where.
        #[label(primary, "nothing to allow")]
        pub at: Span,
    }
}
