//! LLMP1304: Stopped.

use llmp_grammar::{Info, Severity};

/// Row of the code table.
pub const INFO: Info = Info { code: "LLMP1304", name: "Stopped", severity: Severity::Info, doc: DOC };

const DOC: &str = "\
The run was asked to stop (Ctrl-C, SIGTERM).

What was finished is kept, also in the middle of filtering and training. The same command goes on from there.
";
