//! LLMP0406: A model is measured on documents that it was trained on, so that the result says nothing.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// A model is measured on documents that it was trained on, so that the result says nothing. Hold a part
    /// out with `split`, and train on the rest. A source with `evaluation = true` never reaches training.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = books, tokens = 4M } # error[LLMP0406]
    /// eval quality { model = run, suites = [bits_per_byte(books)] }
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// dataset clean = books |> split(heldout = 1%)
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = clean, tokens = 4M }
    /// eval quality { model = run, suites = [bits_per_byte(clean.heldout)] }
    /// ```
    "LLMP0406" EvaluationTrained "{what} reaches training in `{stage}`";
    {
        /// What, in words.
        pub what: String,
        /// The stage.
        pub stage: String,
        /// Where.
        #[label(primary, "trained on here")]
        pub at: Span,
    }
}
