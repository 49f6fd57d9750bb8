//! LLMP0622: A stage that goes on from another has so few optimizer steps that it changes little.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// A stage that goes on from another has so few optimizer steps that it changes little. Llama 3.1 (arXiv:2407.21783, section
    /// 3.4.3) prints 40M tokens of annealing, which are 2.5 batches of 16M; it probably means 40B.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain a { model = m, data = books, tokens = 4M }
    /// pretrain b { from = a, data = books, tokens = 40_000, batch = 16_000 tokens, schedule = linear() } # warning[LLMP0622]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain a { model = m, data = books, tokens = 4M }
    /// pretrain b { from = a, data = books, tokens = 400_000, batch = 16_000 tokens, schedule = linear() }
    /// ```
    "LLMP0622" FewSteps warning "{message}";
    {
        /// What is wrong, with both sides.
        pub message: String,
        /// Where.
        #[label(primary)]
        pub at: Span,
    }
}
