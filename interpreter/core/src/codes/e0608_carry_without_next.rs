//! LLMP0608: Each `carry` of `rounds` has exactly one `next`.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// Each `carry` of `rounds` has exactly one `next`: the value that the next round starts from, and that
    /// `post.policy` has after the last.
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// rounds post for r in 1..2 {
    ///   carry best = books # error[LLMP0608]
    ///   dataset kept = best |> gopher_quality()
    /// }
    /// dataset last = post.best
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source books = text("books/*.txt")
    /// rounds post for r in 1..2 {
    ///   carry best = books
    ///   dataset kept = best |> gopher_quality()
    ///   next best = kept
    /// }
    /// dataset last = post.best
    /// ```
    "LLMP0608" CarryWithoutNext "`{name}` {what}";
    {
        /// What is carried.
        pub name: String,
        /// What is wrong about it.
        pub what: String,
        /// Where.
        #[label(primary, "one `carry`, one `next`")]
        pub at: Span,
        /// The other one.
        #[label("the first")]
        pub other: Option<Span>,
    }
}
