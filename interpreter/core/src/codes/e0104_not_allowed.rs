//! LLMP0104: The member or argument takes one out of a closed set of names.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// The member or argument takes one out of a closed set of names.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = books, tokens = 4M, precision = fp8 } # error[LLMP0104]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = books, tokens = 4M, precision = f32 }
    /// ```
    "LLMP0104" NotAllowed "`{value}` is not one of {allowed}", help "write one of {allowed}";
    {
        /// As written.
        pub value: String,
        /// The allowed values.
        pub allowed: String,
        /// Where.
        #[label(primary, "not an allowed value")]
        pub at: Span,
    }
}
