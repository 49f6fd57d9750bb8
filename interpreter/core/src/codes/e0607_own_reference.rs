//! LLMP0607: The reference of a stage is what the stage itself makes.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// The reference of a stage is what the stage itself makes.
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
    /// prefer aligned { from = tuned, data = pairs, reference = aligned } # error[LLMP0607]
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
    /// prefer aligned { from = tuned, data = pairs, reference = tuned }
    /// ```
    "LLMP0607" OwnReference "{message}";
    {
        /// What is wrong, with both sides.
        pub message: String,
        /// Where.
        #[label(primary)]
        pub at: Span,
    }
}
