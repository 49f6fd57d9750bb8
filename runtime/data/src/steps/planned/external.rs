//! A step in another language.

use llmp_stdlib::{Problem, Record};

use super::typed;
use crate::readers::shape::DeclaredColumns;

llmp_stdlib::def! {
    /// A step that another program does: it reads records as JSON Lines and writes them back in their order.
    ///
    /// A record that comes back as `null` is dropped, with the reason `external`. The files of `command` are part of the step's key, so
    /// a changed script runs again; `rev` covers what the files do not show. Only `llmp run --allow-external` starts it, `check` and `plan` never.
    ///
    /// ```llmp
    /// dataset rated = web |> external(["python3", "rate.py"], adds = { toxicity = Num }) |> drop_if(.toxicity > 0.5)
    /// ```
    @planned External = "external", rev 1, rows_of [Html, Docs, Chat, Prompt, Answers, Preference, Labelled], gains added, check command {
        /// The program and its arguments.
        command: Vec<String>,
        /// Columns that it adds, with their types.
        adds: Option<DeclaredColumns> = "none",
        /// Raised by hand when its output changes and its files do not.
        rev: u64 = "1",
    }
}

fn added(args: &Record) -> Vec<(String, llmp_stdlib::Column)> {
    typed(args, "adds")
}

fn command(it: &External) -> Vec<Problem> {
    let empty = it.command.first().is_none_or(|program| program.trim().is_empty());
    let message = "external: `command` names no program";
    empty.then(|| Problem::error("LLMP0209", "command", message)).into_iter().collect()
}
