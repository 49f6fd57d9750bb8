//! LLMP0015: nested too deeply, or too large.

use crate::Span;

crate::diagnostic! {
    /// Brackets and `if` nest at most 64 deep, a value has at most 512 operators, a file at most 4 MiB: enough for any
    /// program that people read, and a bound for every tool.
    ///
    /// ```llmp
    /// llmp 1
    /// # error[LLMP0015]
    /// let deep = (((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((1)))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// let flat = 1
    /// ```
    "LLMP0015" TooDeep "{what}", help "give parts of it names with `let`, or split the file";
    {
        /// Which bound is exceeded.
        pub what: String,
        /// Where it is exceeded first.
        #[label(primary, "too much from here on")]
        pub at: Span,
    }
}
