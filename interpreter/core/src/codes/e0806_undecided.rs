//! LLMP0806: The condition reads a value that only the run can give.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// The condition reads a value that only the run can give. It becomes a guard in the plan:
    /// the run evaluates it before anything that follows is spent.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// dataset clean = books |> detect_language()
    /// check clean.documents > 1000 else "too little text" # info[LLMP0806]
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// param documents: Int = 2000
    /// check documents > 1000 else "too little text"
    /// ```
    "LLMP0806" Undecided info "this cannot be decided before the run, and becomes a guard in the plan";
    {
        /// Where.
        #[label(primary, "not known yet")]
        pub at: Span,
    }
}
