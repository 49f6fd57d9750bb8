//! LLMP0208: The order of two training stages is unusual: what the earlier one taught is likely lost.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// The order of two training stages is unusual: what the earlier one taught is likely lost, or what the later one builds on was not
    /// taught (preferences or rewards on a base model).
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// model chat = hf("models/chat", stage = aligned)
    /// pretrain a { from = chat, data = books, tokens = 4M } # warning[LLMP0208]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// model plain = hf("models/plain", stage = base)
    /// pretrain a { from = plain, data = books, tokens = 4M }
    /// ```
    "LLMP0208" UnusualOrder warning "{message}";
    {
        /// What is wrong, with both sides.
        pub message: String,
        /// Where.
        #[label(primary)]
        pub at: Span,
    }
}
