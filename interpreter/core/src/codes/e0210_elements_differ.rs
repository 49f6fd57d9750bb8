//! LLMP0210: All elements of a list that is read as one whole have the same type: web pages cannot be joined to documents.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// All elements of a list that is read as one whole have the same type: web pages cannot be joined to
    /// documents.
    ///
    /// ```llmp
    /// llmp 1
    /// source pages = warc("crawl/*.warc.gz")
    /// source books = text("books/*.txt")
    /// dataset both = concat([books, pages]) # error[LLMP0210]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source pages = warc("crawl/*.warc.gz")
    /// source books = text("books/*.txt")
    /// dataset docs = pages |> extract_text()
    /// dataset both = concat([books, docs])
    /// ```
    "LLMP0210" ElementsDiffer "elements differ: {first} and {other}";
    {
        /// Type of the first element.
        pub first: String,
        /// Type of this one.
        pub other: String,
        /// Where.
        #[label(primary, "{other}")]
        pub at: Span,
        /// The first element.
        #[label("{first}")]
        pub against: Span,
    }
}
