//! LLMP0612: A reward model ranks the pairs right that it was trained on: the figure is high and says nothing.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// A reward model ranks the pairs right that it was trained on: the figure is high and says nothing. Measure on pairs that were held
    /// out (`split`). Published accuracies of reward models are on held-out pairs.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// source pairs = jsonl("pairs.jsonl", as = Preference)
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = books, tokens = 4M }
    /// reward_model judge { from = run, data = pairs, steps = 500 }
    /// eval ranks { model = judge, suites = [accuracy(pairs)] } # warning[LLMP0612]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// source pairs = jsonl("pairs.jsonl", as = Preference)
    /// dataset ranked = pairs |> split(heldout = 5%)
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = books, tokens = 4M }
    /// reward_model judge { from = run, data = ranked, steps = 500 }
    /// eval ranks { model = judge, suites = [accuracy(ranked.heldout)] }
    /// ```
    "LLMP0612" OwnPairs warning "`{model}` is measured on `{source}`, the pairs that it was trained on";
    {
        /// The reward model.
        pub model: String,
        /// The pairs.
        pub source: String,
        /// Where.
        #[label(primary, "measured here")]
        pub at: Span,
    }
}
