//! LLMP0404: A stage needs more tokens of a source than there are, and would see the same text again and again.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// A stage needs more tokens of a source than there are, and would see the same text again and again. Up to
    /// four passes are worth nearly as much as new text, and after about forty nothing more is learned (Muennighoff et al.,
    /// arXiv:2305.16264). Above four it is a warning, from forty on, or above a `max_epochs` that the whole mixture cannot keep, an error.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt", size = 1M tokens)
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run {
    ///   model = m
    ///   data = books # warning[LLMP0404]
    ///   tokens = 30M
    /// }
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt", size = 10M tokens)
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run {
    ///   model = m
    ///   data = books
    ///   tokens = 30M
    /// }
    /// ```
    "LLMP0404" Repeated warning "`{stage}` sees {name} {epochs} times, the limit is {limit}: it wants {wanted} tokens of at most {available}";
    {
        /// The part in words: `` `books` ``.
        pub name: String,
        /// The stage.
        pub stage: String,
        /// Passes, at least.
        pub epochs: String,
        /// The limit.
        pub limit: String,
        /// Tokens wanted.
        pub wanted: String,
        /// Tokens there are.
        pub available: String,
        /// Where.
        #[label(primary, "this part")]
        pub at: Span,
    }
}
