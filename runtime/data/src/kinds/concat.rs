//! `concat([…])`: data one after the other.

use llmp_stdlib::arg::AnyData;

llmp_stdlib::def! {
    /// Puts data one after the other, in the order of the list. All parts are in one state; the columns that all of them have
    /// remain known.
    ///
    /// ```llmp
    /// source books = text("books/*.txt")
    /// source pages = text("pages/*.txt")
    /// dataset both = concat([books, pages]) |> dedup_exact()
    /// ```
    Concat = "concat", rev 1, source Docs {
        /// Sources, datasets, parts of them, or pipes.
        parts: Vec<AnyData>,
    }
}
