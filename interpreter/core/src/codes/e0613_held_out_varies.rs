//! LLMP0613: The data on which a comparison measures change with a param that it varies: the filter that is compared would also choose

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// The data on which a comparison measures change with a param that it varies: the filter that is compared would also choose its own test.
    ///
    /// ```llmp
    /// llmp 1
    /// param least: Int = 50
    /// source books = text("books/*.txt")
    /// source exam = text("exam/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// dataset clean = books |> gopher_quality(min_doc_words = least) |> split(heldout = 1%)
    /// pretrain run { model = m, data = clean, tokens = 4M }
    /// compare filter {
    ///   of = run
    ///   vary = { least = [20, 50] }
    ///   measure = [bits_per_byte(clean.heldout)] # error[LLMP0613]
    /// }
    /// check exam.license == none else "unused"
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
    "LLMP0613" HeldOutVaries "`{data}` depends on the varied param `{param}`";
    {
        /// The data.
        pub data: String,
        /// The param.
        pub param: String,
        /// Where.
        #[label(primary, "measured on it")]
        pub at: Span,
        /// Where it is varied.
        #[label("varied here")]
        pub varied: Span,
    }
}
