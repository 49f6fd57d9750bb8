//! LLMP0609: A stage is trained, and no other stage, evaluation or release uses what comes out, while others are used.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// A stage is trained, and no other stage, evaluation or release uses what comes out, while others are used.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = books, tokens = 4M }
    /// pretrain other { model = m, data = books, tokens = 8M } # warning[LLMP0609]
    /// release out { model = run }
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = books, tokens = 4M }
    /// pretrain other { from = run, data = books, tokens = 8M }
    /// release out { model = other }
    /// ```
    "LLMP0609" ResultUnused warning "nothing uses the {kind} `{name}`";
    {
        /// Its kind.
        pub kind: String,
        /// The stage.
        pub name: String,
        /// Where.
        #[label(primary, "trained for nothing")]
        pub at: Span,
    }
}
