//! LLMP0617: A reward does not hold the policy where the reward can be trusted.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// A reward does not hold the policy where the reward can be trusted.
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
    /// rl aligned {
    ///   from    = tuned
    ///   prompts = asks
    ///   reward  = judge
    ///   update  = mirror_descent() # error[LLMP0617]
    ///   steps   = 100
    /// }
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
    /// rl aligned {
    ///   from    = tuned
    ///   prompts = asks
    ///   reward  = sum([judge, kl(weight = -0.05, to = from)])
    ///   update  = mirror_descent()
    ///   steps   = 100
    /// }
    /// ```
    "LLMP0617" PolicyUnheld "{message}";
    {
        /// What is wrong, with both sides.
        pub message: String,
        /// Where.
        #[label(primary)]
        pub at: Span,
    }
}
