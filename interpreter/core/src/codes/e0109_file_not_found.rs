//! LLMP0109: An import names a file that is not there.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// An import names a file that is not there. Paths are relative to the file that imports; `.llmp` may be left
    /// out.
    ///
    /// ```llmp
    /// llmp 1
    /// use { crawl } from "./no_such_file.llmp" # error[LLMP0109]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// use { crawl } from "./data.llmp"
    /// tokenizer tok = bpe(train_on = crawl, vocab = 4096)
    /// ```
    "LLMP0109" FileNotFound "there is no file `{path}`";
    {
        /// As written.
        pub path: String,
        /// Where.
        #[label(primary, "not found")]
        pub at: Span,
    }
}
