//! LLMP0903: With `--frozen`, there is no `llmp.lock` that can be read.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// With `--frozen`, there is no `llmp.lock` that can be read: none at the root of the project, one that was
    /// damaged (by a merge, say), or one of another version. The root is the nearest folder with `llmp.lock` or
    /// `.llmp`, else the program's own. `llmp lock FILE` writes it anew.
    ///
    /// ```llmp
    /// llmp 1
    /// # with --frozen, and no llmp.lock
    /// source speeches = jsonl("speeches/*.jsonl") # error[LLMP0903]: with --frozen
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// # with --frozen, after `llmp lock`
    /// source speeches = jsonl("speeches/*.jsonl")
    /// ```
    "LLMP0903" NoLock "no usable llmp.lock: {why}", help "run `llmp lock` for this program";
    {
        /// What is wrong.
        pub why: String,
        /// The first input that needs it.
        #[label(primary, "the first input that it would hold")]
        pub at: Span,
    }
}
