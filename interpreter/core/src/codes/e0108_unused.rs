//! LLMP0108: Nothing that is trained, evaluated or released needs this definition, so it is not in the plan.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// Nothing that is trained, evaluated or released needs this definition, so it is not in the plan.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt") # info[LLMP0108]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = books, tokens = 4M }
    /// release out { model = run }
    /// ```
    "LLMP0108" Unused info "`{name}` is never used";
    {
        /// The name.
        pub name: String,
        /// Where.
        #[label(primary, "never used")]
        pub at: Span,
    }
}
