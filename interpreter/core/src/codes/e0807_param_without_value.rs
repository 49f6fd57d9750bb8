//! LLMP0807: A param without a default must be given by `--set` or by a variant.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// A param without a default must be given by `--set` or by a variant.
    ///
    /// ```llmp
    /// llmp 1
    /// param seed: Int # error[LLMP0807]
    /// check seed > 0 else "seed"
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// param seed: Int = 17
    /// check seed > 0 else "seed"
    /// ```
    "LLMP0807" ParamWithoutValue "param `{name}` has no value";
    {
        /// The param.
        pub name: String,
        /// Where.
        #[label(primary, "no default, and no `--set {name}=…`")]
        pub at: Span,
    }
}
