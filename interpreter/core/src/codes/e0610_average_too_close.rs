//! LLMP0610: An average of checkpoints that the stage does not have: they are closer together than its optimizer steps, or further.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// An average of checkpoints that the stage does not have: they are closer together than its optimizer steps, or further
    /// apart than it is long.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain a { model = m, data = books, tokens = 4M, batch = 8Ki tokens, publish = average(checkpoints(every = 1000)) } # warning[LLMP0610]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain a { model = m, data = books, tokens = 4M, batch = 8Ki tokens, publish = average(checkpoints(every = 64Ki)) }
    /// ```
    "LLMP0610" AverageTooClose warning "{message}";
    {
        /// What is wrong, with both sides.
        pub message: String,
        /// Where.
        #[label(primary)]
        pub at: Span,
    }
}
