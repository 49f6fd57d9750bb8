//! LLMP0403: A part without weight is never read: leave it out.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// A part without weight is never read: leave it out.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// source web = text("web/*.txt")
    /// mix blend { books = 100%, web = 0% } # error[LLMP0403]
    /// pretrain run { model = m, data = blend, tokens = 4M }
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// mix blend { books = 100% }
    /// pretrain run { model = m, data = blend, tokens = 4M }
    /// ```
    "LLMP0403" BadWeight "a share must be above zero, this is {weight}";
    {
        /// As evaluated.
        pub weight: String,
        /// Where.
        #[label(primary, "not above zero")]
        pub at: Span,
    }
}
