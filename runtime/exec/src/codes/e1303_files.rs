//! LLMP1303: Files.

use llmp_grammar::{Info, Severity};

/// Row of the code table.
pub const INFO: Info = Info { code: "LLMP1303", name: "Files", severity: Severity::Error, doc: DOC };

const DOC: &str = "\
The operating system refused to open, write or rename a file.

The message names the file and the system's reason (no space, no permission). What was finished is kept; the next run goes on from there.
";
