//! LLMP0409: A release says which licenses its sources may have, and a source that reached the model has another one, or states none.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// A release says which licenses its sources may have, and a source that reached the model has another one, or states none.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt", license = "CC-BY-NC-4.0")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = books, tokens = 4M }
    /// release out { model = run, allow_licenses = ["permissive"] } # error[LLMP0409]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt", license = "Apache-2.0")
    /// tokenizer tok = bpe(train_on = books, vocab = 4096)
    /// model m { tokenizer = tok, layers = 4, width = 192, heads = 6, context = 256 }
    /// pretrain run { model = m, data = books, tokens = 4M }
    /// release out { model = run, allow_licenses = ["permissive"] }
    /// ```
    "LLMP0409" LicenseForbids "`{source}` {has}, and reaches this release through `{stage}`; allowed are {allowed}";
    {
        /// The source.
        pub source: String,
        /// What license it has, in words.
        pub has: String,
        /// The stage that trains on it.
        pub stage: String,
        /// What is allowed.
        pub allowed: String,
        /// Where.
        #[label(primary, "allowed here")]
        pub at: Span,
    }
}
