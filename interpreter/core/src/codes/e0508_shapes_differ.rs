//! LLMP0508: Models that must have the same shapes do not, or nothing would be left to remove.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// Models that must have the same shapes do not, or nothing would be left to remove.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain a { model = m, data = books, tokens = 4M }
    /// prune p { from = a, keep = { ffn_hidden = 1024 }, data = books, tokens = 1M } # error[LLMP0508]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain a { model = m, data = books, tokens = 4M }
    /// prune p { from = a, keep = { ffn_hidden = 256 }, data = books, tokens = 1M }
    /// ```
    "LLMP0508" ShapesDiffer "{message}";
    {
        /// What is wrong, with both sides.
        pub message: String,
        /// Where.
        #[label(primary)]
        pub at: Span,
    }
}
