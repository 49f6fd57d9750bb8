//! LLMP0611: A schedule goes on from a stage that the model does not go back to.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// A schedule goes on from a stage that the model does not go back to.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain a { model = m, data = books, tokens = 4M, schedule = cosine(peak = 3e-4, over = 10_000 steps) }
    /// pretrain c like a { seed = 1 }
    /// pretrain b { from = a, data = books, tokens = 1M, schedule = continue_from(c) } # error[LLMP0611]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain a { model = m, data = books, tokens = 4M, schedule = cosine(peak = 3e-4, over = 10_000 steps) }
    /// pretrain b { from = a, data = books, tokens = 1M, schedule = continue_from(a) }
    /// ```
    "LLMP0611" NotAnAncestor "{message}";
    {
        /// What is wrong, with both sides.
        pub message: String,
        /// Where.
        #[label(primary)]
        pub at: Span,
    }
}
