//! LLMP0603: The parts of a stage stand in the wrong order: a context that shrinks, a phase that begins before the one it follows, or.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// The parts of a stage stand in the wrong order: a context that shrinks, a phase that begins before the one it follows, or
    /// one that is never reached.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain a { model = m, data = books, tokens = 4M, batch = ramp([{ size = 4Ki tokens }, { size = 8Ki tokens, after = 2M }, { size = 16Ki tokens, after = 1M }]) } # error[LLMP0603]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain a { model = m, data = books, tokens = 4M, batch = ramp([{ size = 4Ki tokens }, { size = 8Ki tokens, after = 1M }, { size = 16Ki tokens, after = 2M }]) }
    /// ```
    "LLMP0603" OutOfOrder "{message}";
    {
        /// What is wrong, with both sides.
        pub message: String,
        /// Where.
        #[label(primary)]
        pub at: Span,
    }
}
