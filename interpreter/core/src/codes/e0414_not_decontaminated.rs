//! LLMP0414: A model is measured on an evaluation set, and the text that it learned from was not searched for it.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// A model is measured on an evaluation set, and the text that it learned from was not searched for it. Web text holds
    /// benchmarks in many copies; GPT-3, Llama 3 and AFM report and remove the overlap. Add `decontaminate(against = [the set])`.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// source exam = text("exam/*.txt", evaluation = true)
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = books, tokens = 4M } # warning[LLMP0414]
    /// eval quality { model = run, suites = [bits_per_byte(exam)] }
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// source exam = text("exam/*.txt", evaluation = true)
    /// dataset clean = books |> decontaminate(against = [exam])
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = clean, tokens = 4M }
    /// eval quality { model = run, suites = [bits_per_byte(exam)] }
    /// ```
    "LLMP0414" NotDecontaminated warning "`{source}` was not searched for `{test}`, on which `{eval}` measures";
    {
        /// The source.
        pub source: String,
        /// The evaluation set.
        pub test: String,
        /// The evaluation.
        pub eval: String,
        /// Where.
        #[label(primary, "trained on here")]
        pub at: Span,
    }
}
