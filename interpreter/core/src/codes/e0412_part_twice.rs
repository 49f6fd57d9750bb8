//! LLMP0412: The same data under two names count twice, which is rarely meant.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// The same data under two names count twice, which is rarely meant. Add the shares.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// dataset same = books
    /// mix blend { books = 60%, same = 40% } # error[LLMP0412]
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
    "LLMP0412" PartTwice "`{name}` is in the mixture twice";
    {
        /// The data.
        pub name: String,
        /// Where.
        #[label(primary, "again here")]
        pub at: Span,
        /// The first one.
        #[label("first here")]
        pub first: Span,
    }
}
