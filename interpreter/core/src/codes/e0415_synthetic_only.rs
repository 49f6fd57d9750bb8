//! LLMP0415: Everything that a stage learns from was written by a model that itself learned from text of models.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// Everything that a stage learns from was written by a model that itself learned from text of models. Over such
    /// generations rare things are lost first and in the end most of the distribution (Shumailov et al., Nature 2024); text by people
    /// beside it prevents that (Gerstgrasser et al., arXiv:2404.01413).
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt", synthetic = { by = "a model", generation = 2 })
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = books, tokens = 4M } # warning[LLMP0415]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt", synthetic = { by = "a model", generation = 1 })
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = books, tokens = 4M }
    /// ```
    "LLMP0415" SyntheticOnly warning "`{stage}` learns from text of models alone, {generation} generations from people";
    {
        /// The stage.
        pub stage: String,
        /// Generations.
        pub generation: String,
        /// Where.
        #[label(primary, "no text by people")]
        pub at: Span,
    }
}
