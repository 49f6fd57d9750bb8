//! LLMP0805: A condition that the author of the program wants to hold does not.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// A condition that the author of the program wants to hold does not. The notes show the value of each operand.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = books, tokens = 4M }
    /// check run.tokens <= 1M tokens else "budget" # error[LLMP0805]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = books, tokens = 4M }
    /// check run.tokens <= 8M tokens else "budget"
    /// ```
    "LLMP0805" CheckFailed "check failed: {words}", help "change a value that it names, or the check";
    {
        /// The words after `else`.
        pub words: String,
        /// Where.
        #[label(primary, "this is false")]
        pub at: Span,
    }
}
