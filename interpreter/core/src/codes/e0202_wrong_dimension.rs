//! LLMP0202: A number carries the wrong unit: steps where tokens are meant, say.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// A number carries the wrong unit: steps where tokens are meant, say.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = books, tokens = 4000 steps } # error[LLMP0202]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = books, tokens = 4M tokens }
    /// ```
    "LLMP0202" WrongDimension "expected {expected}, found {found}", help "write it in {expected}";
    {
        /// Dimensions that are meant.
        pub expected: String,
        /// The dimension found.
        pub found: String,
        /// Where.
        #[label(primary, "this is in {found}")]
        pub at: Span,
    }
}
