//! LLMP0008: an operator at the end of a line.

use crate::Span;

crate::diagnostic! {
    /// A line goes on *before* an operator: the operator begins the next line. So each line shows by itself that it goes on.
    ///
    /// ```llmp
    /// llmp 1
    /// dataset clean = books |>        # error[LLMP0008]
    ///   dedup_minhash()
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// dataset clean = books
    ///   |> dedup_minhash()
    /// ```
    "LLMP0008" TrailingOperator "`{operator}` stands at the end of a line", help "begin the next line with `{operator}`";
    {
        /// The operator.
        pub operator: String,
        /// Its place.
        #[label(primary, "this line ends here")]
        pub at: Span,
    }
}
