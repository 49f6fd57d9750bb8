//! LLMP0301: Suffixes are attached (`4M`, `8Ki`, `65%`, `512MiB`), units stand after a space (`4M tokens`).

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// Suffixes are attached (`4M`, `8Ki`, `65%`, `512MiB`), units stand after a space (`4M tokens`). `k M B T` are
    /// decimal, `Ki Mi Gi Ti` binary.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = books, tokens = 4M tokns } # error[LLMP0301]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = books, tokens = 4M tokens }
    /// ```
    "LLMP0301" UnknownUnit "`{text}` is not a suffix or unit";
    {
        /// As written.
        pub text: String,
        /// Where.
        #[label(primary, "not a unit")]
        pub at: Span,
    }
}
