//! LLMP0302: The place accepts several units, and a bare number does not say which is meant.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// The place accepts several units, and a bare number does not say which is meant.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = books, tokens = 4M, schedule = cosine(peak = 3e-4, warmup = 200) } # error[LLMP0302]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = books, tokens = 4M, schedule = cosine(peak = 3e-4, warmup = 200 steps) }
    /// ```
    "LLMP0302" UnitNeeded "a unit is needed: {allowed}";
    {
        /// Units that can stand here.
        pub allowed: String,
        /// Where.
        #[label(primary, "in which unit?")]
        pub at: Span,
    }
}
