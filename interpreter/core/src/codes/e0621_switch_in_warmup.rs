//! LLMP0621: The batch or the context changes while the rate still rises.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// The batch or the context changes while the rate still rises. Llama 3.1 (arXiv:2407.21783, section 3.4.1) prints such a
    /// switch: 252M tokens are 63 of its 8,000 steps of warm-up; it is probably a misprint.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain a { model = m, data = books, tokens = 4M, schedule = cosine(peak = 1e-3, warmup = 100 steps), batch = ramp([{ size = 4Ki tokens }, { size = 8Ki tokens, after = 100_000 }]) } # warning[LLMP0621]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain a { model = m, data = books, tokens = 4M, schedule = cosine(peak = 1e-3, warmup = 100 steps), batch = ramp([{ size = 4Ki tokens }, { size = 8Ki tokens, after = 1M }]) }
    /// ```
    "LLMP0621" SwitchInWarmup warning "{message}";
    {
        /// What is wrong, with both sides.
        pub message: String,
        /// Where.
        #[label(primary)]
        pub at: Span,
    }
}
