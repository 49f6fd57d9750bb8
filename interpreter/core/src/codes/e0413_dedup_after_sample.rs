//! LLMP0413: Duplicates are taken out after a sample was drawn: most copies of a document are then in the part that was not drawn, and the

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// Duplicates are taken out after a sample was drawn: most copies of a document are then in the part that was not drawn, and the sample keeps what a look at everything would have dropped. Deduplicate first.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// dataset clean = books |> sample(10%) |> dedup_minhash() # warning[LLMP0413]
    /// tokenizer tok = bpe(train_on = clean, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = clean, tokens = 4M }
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// dataset clean = books |> dedup_minhash() |> sample(10%)
    /// tokenizer tok = bpe(train_on = clean, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = clean, tokens = 4M }
    /// ```
    "LLMP0413" DedupAfterSample warning "`{dedup}` comes after `{sample}`, and does not see the copies that were not drawn";
    {
        /// The step.
        pub dedup: String,
        /// The step that draws.
        pub sample: String,
        /// The step.
        #[label(primary, "too late")]
        pub at: Span,
        /// Where it is drawn.
        #[label("drawn here")]
        pub sampled: Span,
    }
}
