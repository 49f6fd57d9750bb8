//! LLMP0106: Definitions may stand in any order, but none may need itself.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// Definitions may stand in any order, but none may need itself.
    ///
    /// ```llmp
    /// llmp 1
    /// dataset a = b |> dedup_minhash() # error[LLMP0106]
    /// dataset b = a |> dedup_minhash()
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// source b = text("b/*.txt")
    /// dataset a = b |> dedup_minhash()
    /// ```
    "LLMP0106" Cycle "definitions form a cycle: {path}", help "let one of them stop using the others";
    {
        /// Names joined by arrows.
        pub path: String,
        /// Where.
        #[label(primary, "`{path}`")]
        pub at: Span,
        /// The other mentions.
        #[label("and here")]
        pub others: Vec<Span>,
    }
}
