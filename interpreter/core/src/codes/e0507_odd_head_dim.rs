//! LLMP0507: Rotary positions turn pairs of features, so the size of a head is even.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// Rotary positions turn pairs of features, so the size of a head is even.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, head_dim = 33, context = 256 } # error[LLMP0507]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, head_dim = 32, context = 256 }
    /// ```
    "LLMP0507" OddHeadDim "{message}";
    {
        /// What is wrong, with both sides.
        pub message: String,
        /// Where.
        #[label(primary)]
        pub at: Span,
    }
}
