//! LLMP0112: With `--frozen`, an input is not what `llmp.lock` says.

use llmp_grammar::Span;

llmp_grammar::diagnostic! {
    /// With `--frozen`, an input is not what `llmp.lock` says. `check` and `plan` see when the program reads it in
    /// another way than it was measured; `run` compares every file with its size and hash before anything starts.
    ///
    /// ```llmp
    /// llmp 1
    /// source speeches = jsonl("speeches/*.jsonl", text = "body") # error[LLMP0112]: with --frozen
    /// ```
    ///
    /// ```llmp
    /// llmp 1
    /// # with --frozen, after `llmp lock`
    /// source speeches = jsonl("speeches/*.jsonl", text = "text")
    /// ```
    "LLMP0112" DiffersFromLock "`{path}` differs from llmp.lock: it has {now}, the lock {was}", help "if the change is meant, run `llmp lock` for this program";
    {
        /// As written.
        pub path: String,
        /// What it is now.
        pub now: String,
        /// What was recorded.
        pub was: String,
        /// Where.
        #[label(primary, "read here")]
        pub at: Span,
    }
}
