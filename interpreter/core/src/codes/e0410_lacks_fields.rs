//! LLMP0410: A stage reads records that lack what it learns from.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// A stage reads records that lack what it learns from.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096, template = chatml)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain base { model = m, data = books, tokens = 4M }
    /// source chats = jsonl("chats.jsonl", as = Chat)
    /// source liked = jsonl("liked.jsonl", as = Labelled)
    /// sft tuned { from = base, data = chats, epochs = 1 }
    /// prefer aligned { from = tuned, data = liked, loss = dpo() } # error[LLMP0410]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096, template = chatml)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain base { model = m, data = books, tokens = 4M }
    /// source chats = jsonl("chats.jsonl", as = Chat)
    /// source liked = jsonl("liked.jsonl", as = Labelled)
    /// sft tuned { from = base, data = chats, epochs = 1 }
    /// prefer aligned { from = tuned, data = liked, loss = kto() }
    /// ```
    "LLMP0410" LacksFields "{message}";
    {
        /// What is wrong, with both sides.
        pub message: String,
        /// Where.
        #[label(primary)]
        pub at: Span,
    }
}
