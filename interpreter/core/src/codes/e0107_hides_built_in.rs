//! LLMP0107: Where a closed set of names is expected its values win over definitions.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// Where a closed set of names is expected its values win over definitions. A definition with the same name is
    /// easy to mistake for it.
    ///
    /// ```llmp
    /// llmp 1
    /// let f32 = 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = books, tokens = 4M, precision = f32 } # warning[LLMP0107]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = books, tokens = 4M, precision = f32 }
    /// ```
    "LLMP0107" HidesBuiltIn warning "`{name}` means {meaning} here, not the definition of that name";
    {
        /// The name.
        pub name: String,
        /// The built-in value.
        pub meaning: String,
        /// Where.
        #[label(primary, "{meaning}")]
        pub at: Span,
        /// The definition.
        #[label("this definition is not meant")]
        pub definition: Span,
    }
}
