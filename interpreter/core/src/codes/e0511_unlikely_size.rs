//! LLMP0511: A gated feed-forward has two matrices of its hidden width.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// A gated feed-forward has two matrices of its hidden width. Some reports add them together (Gemma 2, table 1: 73,728
    /// for 36,864), and a model written from such a table is too large.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256, ffn = swiglu(hidden = 1600) } # warning[LLMP0511]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256, ffn = swiglu(hidden = 512) }
    /// ```
    "LLMP0511" UnlikelySize warning "{message}";
    {
        /// What is wrong, with both sides.
        pub message: String,
        /// Where.
        #[label(primary)]
        pub at: Span,
    }
}
