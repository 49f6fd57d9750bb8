//! LLMP0401: Percentages of a mixture add up to exactly 100%.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// Percentages of a mixture add up to exactly 100%. One of them may be `rest`, which takes what the others
    /// leave.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// source web = text("web/*.txt")
    /// mix blend { # error[LLMP0401]
    ///   books = 30%
    ///   web   = 60%
    /// }
    /// pretrain run { model = m, data = blend, tokens = 4M }
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// source web = text("web/*.txt")
    /// mix blend {
    ///   books = 30%
    ///   web   = rest
    /// }
    /// pretrain run { model = m, data = blend, tokens = 4M }
    /// ```
    "LLMP0401" SharesMiss "the shares add up to {sum}, {difference}";
    {
        /// The sum.
        pub sum: String,
        /// What is missing or too much.
        pub difference: String,
        /// Where.
        #[label(primary, "{sum} in all")]
        pub at: Span,
        /// The shares.
        #[label("")]
        pub parts: Vec<Span>,
    }
}
