//! LLMP0802: A value given by `--set` has the wrong type or lies outside of the declared range.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// A value given by `--set` has the wrong type or lies outside of the declared range.
    ///
    /// ```llmp
    /// llmp 1
    /// param seed: Int in 1..9 = 3
    /// check seed > 0 else "seed" # error[LLMP0802]: with --set seed=30
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// param seed: Int in 1..9 = 3
    /// check seed > 0 else "seed"
    /// ```
    "LLMP0802" BadOverride "`{name}` cannot be set to this: {why}";
    {
        /// The param.
        pub name: String,
        /// What is wrong.
        pub why: String,
        /// Where.
        #[label(primary)]
        pub at: Span,
    }
}
