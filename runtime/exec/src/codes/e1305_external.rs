//! LLMP1305: A step starts a program of its own.

use llmp_grammar::{Info, Severity};

/// Row of the code table.
pub const INFO: Info =
    Info { code: "LLMP1305", name: "ExternalProgram", severity: Severity::Error, doc: DOC };

const DOC: &str = "\
The program has a step `external(…)`, which starts a program with your rights: `llmp run` does so only with `--allow-external`.

Nothing was started. Read the command that the message names and its script, then run again with the flag. `llmp check` and `llmp plan` never
start anything.
";
