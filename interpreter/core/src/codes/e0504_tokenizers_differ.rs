//! LLMP0504: Models that are merged, or compared token by token, read tokens of different tokenizers.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// Models that are merged, or compared token by token (a reference, a KL term), read tokens of different tokenizers: the rows of their
    /// embeddings, and their log-probabilities, do not match. A reward model with another tokenizer is a warning: it reads text.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// tokenizer other = bpe(train_on = books, vocab = 8192)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// model n like m { tokenizer = other }
    /// pretrain a { model = m, data = books, tokens = 4M }
    /// pretrain b { model = n, data = books, tokens = 4M }
    /// merge both = linear([a, b]) # error[LLMP0504]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain a { model = m, data = books, tokens = 4M }
    /// pretrain b { model = m, data = books, tokens = 4M, seed = 1 }
    /// merge both = linear([a, b])
    /// ```
    "LLMP0504" TokenizersDiffer "{message}";
    {
        /// What is wrong, with both sides.
        pub message: String,
        /// Where.
        #[label(primary)]
        pub at: Span,
    }
}
