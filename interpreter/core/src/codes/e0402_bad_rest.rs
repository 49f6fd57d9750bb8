//! LLMP0402: `rest` takes what the other percentages leave of 100%: it stands once, beside percentages, and something must be left.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// `rest` takes what the other percentages leave of 100%: it stands once, beside percentages, and something
    /// must be left.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// source web = text("web/*.txt")
    /// mix blend { books = rest, web = rest } # error[LLMP0402]
    /// pretrain run { model = m, data = blend, tokens = 4M }
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// source web = text("web/*.txt")
    /// mix blend { books = 70%, web = rest }
    /// pretrain run { model = m, data = blend, tokens = 4M }
    /// ```
    "LLMP0402" BadRest "{message}";
    {
        /// What is wrong, with both sides.
        pub message: String,
        /// Where.
        #[label(primary)]
        pub at: Span,
    }
}
