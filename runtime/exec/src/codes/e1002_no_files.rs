//! LLMP1002: NoFiles.

use llmp_grammar::{Info, Severity};

/// Row of the code table.
pub const INFO: Info = Info { code: "LLMP1002", name: "NoFiles", severity: Severity::Error, doc: DOC };

const DOC: &str = "\
A path of the program matches no file.

Paths are relative to the file that names them. `data:…` paths lie where `--root data=FOLDER` says.
";
