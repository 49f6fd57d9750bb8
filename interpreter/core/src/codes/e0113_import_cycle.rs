//! LLMP0113: Files may not import each other in a circle.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// Files may not import each other in a circle. Move what both need into a third file.
    ///
    /// ```llmp
    /// llmp 1
    /// use { loop } from "./cycle.llmp"
    /// tokenizer tok = bpe(train_on = loop, vocab = 4096) # error[LLMP0113]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// use { crawl } from "./data.llmp"
    /// tokenizer tok = bpe(train_on = crawl, vocab = 4096)
    /// ```
    "LLMP0113" ImportCycle "files import each other: {path}";
    {
        /// Files joined by arrows.
        pub path: String,
        /// Where.
        #[label(primary, "leads back here")]
        pub at: Span,
    }
}
