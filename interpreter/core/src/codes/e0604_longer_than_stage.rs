//! LLMP0604: The warm-up is longer than the stage: the learning rate would never reach its peak.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// The warm-up is longer than the stage: the learning rate would never reach its peak.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = books, steps = 20, schedule = cosine(peak = 3e-4, warmup = 200 steps) } # error[LLMP0604]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = books, steps = 2000, schedule = cosine(peak = 3e-4, warmup = 200 steps) }
    /// ```
    "LLMP0604" LongerThanStage "{message}";
    {
        /// What is wrong, with both sides.
        pub message: String,
        /// Where.
        #[label(primary)]
        pub at: Span,
    }
}
