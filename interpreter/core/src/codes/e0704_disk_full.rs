//! LLMP0704: The checkpoints that a stage keeps, and its result, need more room than the hardware declares.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// The checkpoints that a stage keeps, and its result, need more room than the hardware declares.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = books, tokens = 4M }
    /// hardware small {
    ///   flops = 1T
    ///   memory = 1 GB
    ///   disk = 1 MB # warning[LLMP0704]
    /// }
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = books, tokens = 4M }
    /// hardware small {
    ///   flops = 1T
    ///   memory = 1 GB
    ///   disk = 1 GB
    /// }
    /// ```
    "LLMP0704" DiskFull warning "the checkpoints of `{stage}` take {needs}, there is room for {has}";
    {
        /// The stage.
        pub stage: String,
        /// Room wanted.
        pub needs: String,
        /// Room there.
        pub has: String,
        /// Where.
        #[label(primary, "this much room")]
        pub at: Span,
    }
}
