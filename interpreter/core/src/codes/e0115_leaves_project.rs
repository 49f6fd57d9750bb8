//! LLMP0115: Imports stay inside the project: the nearest folder with `llmp.lock` or `.llmp`, else the folder of the main file.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// Imports stay inside the project: the nearest folder with `llmp.lock` or `.llmp`, else the folder of the main
    /// file. A program then means the same wherever the project is copied.
    ///
    /// ```llmp
    /// llmp 1
    /// use { crawl } from "../elsewhere/data.llmp" # error[LLMP0115]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// use { crawl } from "./data.llmp"
    /// tokenizer tok = bpe(train_on = crawl, vocab = 4096)
    /// ```
    "LLMP0115" LeavesProject "`{path}` leaves the project";
    {
        /// As written.
        pub path: String,
        /// Where.
        #[label(primary, "outside of the project's folder")]
        pub at: Span,
    }
}
