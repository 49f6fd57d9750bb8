//! LLMP0620: The peak rate is far above what plain AdamW bears at this width.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// The peak rate is far above what plain AdamW bears at this width. Rates found under muP, such as the 0.01 of AFM
    /// (arXiv:2407.21075, section 3.2), are scaled down for wide matrices; copied without that they diverge.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain a { model = m, data = books, tokens = 4M, schedule = cosine(peak = 0.05) } # warning[LLMP0620]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain a { model = m, data = books, tokens = 4M, schedule = cosine(peak = 0.002) }
    /// ```
    "LLMP0620" RateForMup warning "{message}";
    {
        /// What is wrong, with both sides.
        pub message: String,
        /// Where.
        #[label(primary)]
        pub at: Span,
    }
}
