//! LLMP0013: A member has one value.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// A member has one value. Nothing would say which of two counts, so the second is an error.
    ///
    /// ```llmp
    /// llmp 1
    /// tokenizer tok = tokenizer_file("tok.json")
    /// model m {
    ///   tokenizer = tok
    ///   layers    = 4
    ///   width     = 192
    ///   heads     = 6
    ///   heads     = 12 # error[LLMP0013]
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
    "LLMP0013" DuplicateMember "`{name}` is given twice";
    {
        /// The member.
        pub name: String,
        /// Where.
        #[label(primary, "given again here")]
        pub at: Span,
        /// The first one.
        #[label("first given here")]
        pub first: Span,
    }
}
