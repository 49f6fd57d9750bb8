//! LLMP0110: An import takes a name that the other file does not define.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// An import takes a name that the other file does not define. Names that the other file imports itself are not
    /// passed on as its own unless they stand in its table.
    ///
    /// ```llmp
    /// llmp 1
    /// use { crawls } from "./data.llmp" # error[LLMP0110]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// use { crawl } from "./data.llmp"
    /// tokenizer tok = bpe(train_on = crawl, vocab = 4096)
    /// ```
    "LLMP0110" NotOffered "`{path}` does not define `{name}`";
    {
        /// The name.
        pub name: String,
        /// The file.
        pub path: String,
        /// Where.
        #[label(primary, "not defined there")]
        pub at: Span,
    }
}
