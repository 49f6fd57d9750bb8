//! LLMP0606: Pairs were sampled from a model that the policy has left behind.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// Pairs were sampled from a model that the policy has left behind.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096, template = chatml)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain base { model = m, data = books, tokens = 4M }
    /// source chats = jsonl("chats.jsonl", as = Chat)
    /// source pairs = jsonl("pairs.jsonl", as = Preference)
    /// source asks = jsonl("asks.jsonl", as = Prompt)
    /// sft tuned { from = base, data = chats, epochs = 1 }
    /// reward_model judge { from = base, data = pairs }
    /// dataset sampled = asks |> generate(base, n = 8) |> score(judge) |> best_worst_pair()
    /// prefer aligned { from = tuned, data = sampled } # error[LLMP0606]
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
    /// source asks = jsonl("asks.jsonl", as = Prompt)
    /// sft tuned { from = base, data = chats, epochs = 1 }
    /// reward_model judge { from = base, data = pairs }
    /// dataset sampled = asks |> generate(tuned, n = 8) |> score(judge) |> best_worst_pair()
    /// prefer aligned { from = tuned, data = sampled }
    /// ```
    "LLMP0606" OldPolicy "{message}";
    {
        /// What is wrong, with both sides.
        pub message: String,
        /// Where.
        #[label(primary)]
        pub at: Span,
    }
}
