//! LLMP0602: Two members that stand for each other are both written.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// Two members that stand for each other are both written.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = books, tokens = 4M, steps = 100 } # error[LLMP0602]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = books, tokens = 4M }
    /// ```
    "LLMP0602" BothGiven "`{first}` and `{second}` exclude each other";
    {
        /// The member that stands first.
        pub first: String,
        /// The other.
        pub second: String,
        /// Where.
        #[label(primary, "and `{second}` here")]
        pub at: Span,
        /// The first one.
        #[label("`{first}` here")]
        pub other: Span,
    }
}
