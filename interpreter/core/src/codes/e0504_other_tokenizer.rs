//! LLMP0504: Two models that are compared token by token read other tokens.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// Two models that are compared token by token read other tokens.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain base { model = m, data = books, tokens = 4M }
    /// source chats = jsonl("chats.jsonl", as = Chat)
    /// source pairs = jsonl("pairs.jsonl", as = Preference)
    /// sft tuned { from = base, data = chats, epochs = 1 }
    /// tokenizer other = bpe(train_on = books, vocab = 8192)
    /// model n { tokenizer = other, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain second { model = n, data = books, tokens = 4M }
    /// prefer aligned { from = tuned, data = pairs, reference = second } # error[LLMP0504]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain base { model = m, data = books, tokens = 4M }
    /// source chats = jsonl("chats.jsonl", as = Chat)
    /// source pairs = jsonl("pairs.jsonl", as = Preference)
    /// sft tuned { from = base, data = chats, epochs = 1 }
    /// prefer aligned { from = tuned, data = pairs, reference = tuned }
    /// ```
    "LLMP0504" OtherTokenizer "{message}";
    {
        /// What is wrong, with both sides.
        pub message: String,
        /// Where.
        #[label(primary)]
        pub at: Span,
    }
}
