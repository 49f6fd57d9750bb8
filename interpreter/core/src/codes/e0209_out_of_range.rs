//! LLMP0209: A number lies outside of what its place allows.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// A number lies outside of what its place allows.
    ///
    /// ```llmp
    /// llmp 1
    /// tokenizer tok = tokenizer_file("tok.json")
    /// model m {
    ///   tokenizer = tok
    ///   layers    = -4 # error[LLMP0209]
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
    "LLMP0209" OutOfRange "{message}";
    {
        /// What is wrong, with both sides.
        pub message: String,
        /// Where.
        #[label(primary)]
        pub at: Span,
    }
}
