//! LLMP0614: Two arms of a comparison would run the same steps: the varied param does not reach the compared stage, or two values are

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// Two arms of a comparison would run the same steps: the varied param does not reach the compared stage, or two values are the same.
    ///
    /// ```llmp
    /// llmp 1
    /// param least: Int = 50
    /// source books = text("books/*.txt")
    /// source exam = text("exam/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// dataset clean = books |> gopher_quality(min_doc_words = least)
    /// pretrain run { model = m, data = books, tokens = 4M }
    /// pretrain other { model = m, data = clean, tokens = 4M }
    /// compare filter {
    ///   of = run
    ///   vary = { least = [20, 50] } # error[LLMP0614]
    ///   measure = [bits_per_byte(exam)]
    /// }
    /// release out { model = other }
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// param least: Int = 50
    /// source books = text("books/*.txt")
    /// source exam = text("exam/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// dataset clean = books |> gopher_quality(min_doc_words = least)
    /// pretrain run { model = m, data = clean, tokens = 4M }
    /// compare filter {
    ///   of = run
    ///   vary = { least = [20, 50] }
    ///   measure = [bits_per_byte(exam)]
    /// }
    /// ```
    "LLMP0614" ArmsEqual "the arms `{first}` and `{second}` run the same steps";
    {
        /// One arm.
        pub first: String,
        /// The other.
        pub second: String,
        /// The stage.
        pub of: String,
        /// Where.
        #[label(primary, "varied here")]
        pub at: Span,
        /// The stage.
        #[label("`{of}` does not depend on it")]
        pub stage: Span,
    }
}
