//! LLMP0207: Data have a state: Html, Docs, Chat and so on.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// Data have a state: Html, Docs, Chat and so on. A step that reads documents cannot read web pages.
    ///
    /// ```llmp
    /// llmp 1
    /// source pages = warc("crawl/*.warc.gz")
    /// dataset clean = pages |> gopher_quality() # error[LLMP0207]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source pages = warc("crawl/*.warc.gz")
    /// dataset clean = pages |> extract_text() |> gopher_quality()
    /// ```
    "LLMP0207" WrongState "`{step}` needs {needs} but gets {gets}";
    {
        /// What asks for the data.
        pub step: String,
        /// State it takes.
        pub needs: String,
        /// State it is given.
        pub gets: String,
        /// Where.
        #[label(primary, "needs {needs}")]
        pub at: Span,
        /// Where the data come from.
        #[label("this is {gets}")]
        pub source: Option<Span>,
    }
}
