//! LLMP0803: A variant sets values of items that exist: `item.member`, or deeper into a constructor's arguments.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// A variant sets values of items that exist: `item.member`, or deeper into a constructor's arguments. Two
    /// variants that are used together set different paths.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = books, tokens = 4M }
    /// variant small { run.tokns = 1M } # error[LLMP0803]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = books, tokens = 4M }
    /// variant small { run.tokens = 1M }
    /// ```
    "LLMP0803" UnknownPath "variant `{variant}` sets `{path}`, {why}";
    {
        /// The variant.
        pub variant: String,
        /// As written.
        pub path: String,
        /// What is wrong.
        pub why: String,
        /// Where.
        #[label(primary, "{why}")]
        pub at: Span,
    }
}
