//! LLMP0804: `--variant` names a `variant` of the main file.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// `--variant` names a `variant` of the main file.
    ///
    /// ```llmp
    /// llmp 1
    /// param seed: Int = 17 # error[LLMP0804]: with --variant smal
    /// check seed > 0 else "seed"
    /// variant small { seed = 1 }
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// param seed: Int = 17
    /// check seed > 0 else "seed"
    /// variant small { seed = 1 }
    /// ```
    "LLMP0804" UnknownVariant "no variant is called `{name}`";
    {
        /// As given.
        pub name: String,
        /// Where.
        #[label(primary)]
        pub at: Span,
    }
}
