//! LLMP0705: By the estimate, FLOPs / (devices · peak · utilisation), a stage takes longer than the hardware's `limit`.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// By the estimate, FLOPs / (devices · peak · utilisation), a stage takes longer than the hardware's `limit`.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = books, tokens = 4M }
    /// hardware small {
    ///   flops = 1B
    ///   memory = 1 GB
    ///   limit = 1h # warning[LLMP0705]
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
    ///   limit = 1h
    /// }
    /// ```
    "LLMP0705" TooLong warning "`{stage}` takes about {takes} on `{machine}`, the limit is {limit}";
    {
        /// The stage.
        pub stage: String,
        /// The hardware.
        pub machine: String,
        /// Time wanted.
        pub takes: String,
        /// The limit.
        pub limit: String,
        /// Where.
        #[label(primary, "the limit")]
        pub at: Span,
    }
}
