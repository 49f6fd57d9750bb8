//! LLMP0501: The width is not a multiple of the number of heads, and no `head_dim` is given.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// The width is not a multiple of the number of heads, and no `head_dim` is given.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 7, context = 256 } # error[LLMP0501]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// ```
    "LLMP0501" HeadsDivideWidth "{message}";
    {
        /// What is wrong, with both sides.
        pub message: String,
        /// Where.
        #[label(primary)]
        pub at: Span,
    }
}
