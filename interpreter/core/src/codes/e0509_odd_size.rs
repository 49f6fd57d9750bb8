//! LLMP0509: Sizes that are multiples of 64 keep matrix products on their fast paths.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// Sizes that are multiples of 64 keep matrix products on their fast paths.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, vocab = 5001, context = 256 } # warning[LLMP0509]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, vocab = 5056, context = 256 }
    /// ```
    "LLMP0509" OddSize warning "{message}";
    {
        /// What is wrong, with both sides.
        pub message: String,
        /// Where.
        #[label(primary)]
        pub at: Span,
    }
}
