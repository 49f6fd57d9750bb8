//! LLMP0601: Some members stand for each other, and one of them must be written: a stage starts from a `model` or goes on `from` another stage.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// Some members stand for each other, and one of them must be written: a stage starts from a `model` or goes on
    /// `from` another stage.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { data = books, tokens = 4M } # error[LLMP0601]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = books, tokens = 4M }
    /// ```
    "LLMP0601" NoneGiven "{owner} needs one of {members}", help "add one of {members}";
    {
        /// Who needs it.
        pub owner: String,
        /// The members.
        pub members: String,
        /// Where.
        #[label(primary, "one of {members}")]
        pub at: Span,
    }
}
