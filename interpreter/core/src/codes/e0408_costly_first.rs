//! LLMP0408: A step that runs a model stands before a filter that only reads text.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// A step that runs a model stands before a filter that only reads text. The filter would spare the model
    /// the documents that it drops anyway: published pipelines score last (FineWeb, arXiv:2406.17557).
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain small { model = m, data = books, tokens = 1M }
    /// dataset clean = books
    ///   |> judge(small, rubric = "Is it worth reading?") # warning[LLMP0408]
    ///   |> gopher_quality()
    /// pretrain run { model = m, data = clean, tokens = 4M }
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain small { model = m, data = books, tokens = 1M }
    /// dataset clean = books |> gopher_quality() |> judge(small, rubric = "Is it worth reading?")
    /// pretrain run { model = m, data = clean, tokens = 4M }
    /// ```
    "LLMP0408" CostlyFirst warning "`{costly}` runs a model on documents that `{cheap}` drops right after it";
    {
        /// The step that runs a model.
        pub costly: String,
        /// The filter.
        pub cheap: String,
        /// The step.
        #[label(primary, "this runs a model")]
        pub at: Span,
        /// The filter.
        #[label("this only reads text")]
        pub filter: Span,
    }
}
