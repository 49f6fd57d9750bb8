//! LLMP0616: A loss on preferences lacks the reference that it compares with, or is given one that it does not read.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// A loss on preferences lacks the reference that it compares with, or is given one that it does not read.
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
    /// prefer aligned { from = tuned, data = pairs, loss = dpo(), reference = none } # error[LLMP0616]
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
    /// prefer aligned { from = tuned, data = pairs, loss = simpo(), reference = none }
    /// ```
    "LLMP0616" ReferenceUnfit "{message}";
    {
        /// What is wrong, with both sides.
        pub message: String,
        /// Where.
        #[label(primary)]
        pub at: Span,
    }
}
