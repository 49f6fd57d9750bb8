//! LLMP0801: `--set` gives a value to a declared `param`.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// `--set` gives a value to a declared `param`. There are no overrides by path on the command line: write a
    /// `variant`.
    ///
    /// ```llmp
    /// llmp 1
    /// param seed: Int = 17
    /// check seed > 0 else "seed" # error[LLMP0801]: with --set sed=3
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// param seed: Int = 17
    /// check seed > 0 else "seed"
    /// ```
    "LLMP0801" UnknownParam "no param is called `{name}`";
    {
        /// As given.
        pub name: String,
        /// Where.
        #[label(primary, "not a param")]
        pub at: Span,
    }
}
