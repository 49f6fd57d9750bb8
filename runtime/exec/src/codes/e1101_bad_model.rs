//! LLMP1101: BadModel.

use llmp_grammar::{Info, Severity};

/// Row of the code table.
pub const INFO: Info = Info { code: "LLMP1101", name: "BadModel", severity: Severity::Error, doc: DOC };

const DOC: &str = "\
A model folder cannot be used: a file is missing, a tensor has another shape than `config.json` says, the architecture
is not known.

The message names the file, the tensor and both shapes.
";
