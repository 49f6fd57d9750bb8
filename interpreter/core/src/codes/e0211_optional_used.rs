//! LLMP0211: A value that is `none` stands where a value is needed.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// A value that is `none` stands where a value is needed. Say what counts instead.
    ///
    /// ```llmp
    /// llmp 1
    /// param deeper: Int? = none
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = deeper, width = 192, heads = 6, context = 256 } # error[LLMP0211]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// param deeper: Int? = none
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = if deeper == none then 4 else deeper, width = 192, heads = 6, context = 256 }
    /// ```
    "LLMP0211" OptionalUsed "expected {expected}, and this is `none`",
        help "give a value for that case: `if … == none then … else …`";
    {
        /// What is needed.
        pub expected: String,
        /// Where.
        #[label(primary, "has no value")]
        pub at: Span,
    }
}
