//! LLMP0203: A call has an argument that the built-in does not know, one that is given twice, or lacks one that has no default.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// A call has an argument that the built-in does not know, one that is given twice, or lacks one that has no
    /// default.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocabulary = 4096) # error[LLMP0203]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// ```
    "LLMP0203" BadArgument "{message}";
    {
        /// What is wrong, with both sides.
        pub message: String,
        /// Where.
        #[label(primary)]
        pub at: Span,
    }
}
