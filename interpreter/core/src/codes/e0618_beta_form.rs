//! LLMP0618: The strength of a preference loss belongs to its other form: sums and means of log-probabilities differ by the length.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// The strength of a preference loss belongs to its other form: sums and means of log-probabilities differ by the length.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096, template = chatml)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain base { model = m, data = books, tokens = 4M }
    /// source chats = jsonl("chats.jsonl", as = Chat)
    /// source pairs = jsonl("pairs.jsonl", as = Preference)
    /// sft tuned { from = base, data = chats, epochs = 1 }
    /// prefer aligned { from = tuned, data = pairs, loss = dpo(beta = 0.1, length = mean) } # error[LLMP0618]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096, template = chatml)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain base { model = m, data = books, tokens = 4M }
    /// source chats = jsonl("chats.jsonl", as = Chat)
    /// source pairs = jsonl("pairs.jsonl", as = Preference)
    /// sft tuned { from = base, data = chats, epochs = 1 }
    /// prefer aligned { from = tuned, data = pairs, loss = dpo(beta = 5, length = mean) }
    /// ```
    "LLMP0618" BetaForm "{message}";
    {
        /// What is wrong, with both sides.
        pub message: String,
        /// Where.
        #[label(primary)]
        pub at: Span,
    }
}
