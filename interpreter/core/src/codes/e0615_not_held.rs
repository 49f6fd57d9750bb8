//! LLMP0615: A comparison says what is equal in all arms, and by the estimates it is not: a difference in the result may come from the budget.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// A comparison says what is equal in all arms, and by the estimates it is not: a difference in the result may come from the budget.
    ///
    /// ```llmp
    /// llmp 1
    /// param deep: Int = 4
    /// source books = text("books/*.txt")
    /// source exam = text("exam/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = deep, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = books, tokens = 4M }
    /// compare depth {
    ///   of = run
    ///   vary = { deep = [4, 8] }
    ///   hold = flops # warning[LLMP0615]
    ///   measure = [bits_per_byte(exam)]
    /// }
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// param deep: Int = 4
    /// source books = text("books/*.txt")
    /// source exam = text("exam/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = deep, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = books, tokens = 4M }
    /// compare depth {
    ///   of = run
    ///   vary = { deep = [4, 8] }
    ///   hold = tokens
    ///   measure = [bits_per_byte(exam)]
    /// }
    /// ```
    "LLMP0615" NotHeld warning "`hold = {what}`, but the arms of `{of}` use {low} to {high}";
    {
        /// What is held.
        pub what: String,
        /// Least.
        pub low: String,
        /// Most.
        pub high: String,
        /// The stage.
        pub of: String,
        /// Where.
        #[label(primary, "not held")]
        pub at: Span,
    }
}
