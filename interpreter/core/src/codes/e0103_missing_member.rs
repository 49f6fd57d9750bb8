//! LLMP0103: A member without a default is not written.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// A member without a default is not written.
    ///
    /// ```llmp
    /// llmp 1
    /// tokenizer tok = tokenizer_file("tok.json")
    /// model m { # error[LLMP0103]
    ///   tokenizer = tok
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
    "LLMP0103" MissingMember "{owner} lacks `{name}`";
    {
        /// Who lacks it.
        pub owner: String,
        /// The member.
        pub name: String,
        /// Where.
        #[label(primary, "`{name}` must be given here")]
        pub at: Span,
    }
}
