//! LLMP0502: Query heads share key and value heads in equal groups, so `kv_heads` divides `heads`.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// Query heads share key and value heads in equal groups, so `kv_heads` divides `heads`.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, kv_heads = 4, context = 256 } # error[LLMP0502]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, kv_heads = 2, context = 256 }
    /// ```
    "LLMP0502" KvHeadsDivideHeads "{message}";
    {
        /// What is wrong, with both sides.
        pub message: String,
        /// Where.
        #[label(primary)]
        pub at: Span,
    }
}
