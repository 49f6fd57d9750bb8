//! LLMP0503: The embedding has fewer rows than the tokenizer has tokens: the first larger id would stop the run.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// The embedding has fewer rows than the tokenizer has tokens: the first larger id would stop the run.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, vocab = 2048, context = 256 } # error[LLMP0503]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, vocab = 4096, context = 256 }
    /// ```
    "LLMP0503" VocabTooSmall "{message}";
    {
        /// What is wrong, with both sides.
        pub message: String,
        /// Where.
        #[label(primary)]
        pub at: Span,
    }
}
