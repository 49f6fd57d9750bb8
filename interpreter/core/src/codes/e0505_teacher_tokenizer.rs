//! LLMP0505: A student cannot learn the token probabilities of a teacher that reads other tokens; equal vocabulary sizes do not help.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// A student cannot learn the token probabilities of a teacher that reads other tokens; equal vocabulary sizes do not help.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// tokenizer other = bpe(train_on = books, vocab = 8192)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// model n like m { tokenizer = other }
    /// pretrain a { model = m, data = books, tokens = 4M }
    /// distill b { model = n, teacher = a, data = books, tokens = 4M } # error[LLMP0505]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// model n like m { layers = 2 }
    /// pretrain a { model = m, data = books, tokens = 4M }
    /// distill b { model = n, teacher = a, data = books, tokens = 4M }
    /// ```
    "LLMP0505" TeacherTokenizer "{message}";
    {
        /// What is wrong, with both sides.
        pub message: String,
        /// Where.
        #[label(primary)]
        pub at: Span,
    }
}
