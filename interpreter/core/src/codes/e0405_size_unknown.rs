//! LLMP0405: The size of a source is not known, so that nothing can be said of how often a stage sees it.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// The size of a source is not known, so that nothing can be said of how often a stage sees it. Give it
    /// as `size = 3B tokens` or `size = about(8T tokens)`; `llmp lock` measures it. It is said where a limit is declared
    /// (`max_epochs`) or other sources of the stage have a size.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt") # info[LLMP0405]
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// mix blend { books = { weight = 100%, max_epochs = 2 } }
    /// pretrain run { model = m, data = blend, tokens = 4M }
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt", size = about(5M tokens))
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// mix blend { books = { weight = 100%, max_epochs = 2 } }
    /// pretrain run { model = m, data = blend, tokens = 4M }
    /// ```
    "LLMP0405" SizeUnknown info "the size of `{name}` is not known: how often `{stage}` sees it cannot be said";
    {
        /// The source.
        pub name: String,
        /// The stage.
        pub stage: String,
        /// Where.
        #[label(primary, "no `size` here")]
        pub at: Span,
    }
}
