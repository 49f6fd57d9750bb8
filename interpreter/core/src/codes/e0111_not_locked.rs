//! LLMP0111: With `--frozen`, an input of the program is not in `llmp.lock`.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// With `--frozen`, an input of the program is not in `llmp.lock`. `llmp lock FILE` records the size, the hash and
    /// the columns of every file that the program reads; commit the lock beside the program.
    ///
    /// ```llmp
    /// llmp 1
    /// source new = jsonl("new/*.jsonl") # error[LLMP0111]: with --frozen
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// # with --frozen, after `llmp lock`
    /// source speeches = jsonl("speeches/*.jsonl")
    /// ```
    "LLMP0111" NotLocked "`{path}` is not in llmp.lock", help "run `llmp lock` for this program";
    {
        /// As written.
        pub path: String,
        /// The built-in that reads it.
        pub reader: String,
        /// Where.
        #[label(primary, "`{reader}` reads it here")]
        pub at: Span,
    }
}
