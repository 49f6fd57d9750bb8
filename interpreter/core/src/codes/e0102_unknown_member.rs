//! LLMP0102: Blocks are closed: a member that the kind does not declare would be ignored in silence, so it is an error.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// Blocks are closed: a member that the kind does not declare would be ignored in silence, so it is an error.
    ///
    /// ```llmp
    /// llmp 1
    /// tokenizer tok = tokenizer_file("tok.json")
    /// model m {
    ///   tokenizer = tok
    ///   layers    = 4
    ///   width     = 192
    ///   heads     = 6
    ///   hidden    = 512 # error[LLMP0102]
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
    "LLMP0102" UnknownMember "{owner} has no member `{name}`";
    {
        /// Who lacks it.
        pub owner: String,
        /// As written.
        pub name: String,
        /// Where.
        #[label(primary, "not a member")]
        pub at: Span,
    }
}
