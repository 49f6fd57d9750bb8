//! LLMP1202: Requirement.

use llmp_grammar::{Info, Severity};

/// Row of the code table.
pub const INFO: Info = Info { code: "LLMP1202", name: "Requirement", severity: Severity::Error, doc: DOC };

const DOC: &str = "\
An evaluation does not meet its `require`.

What comes after it does not run. The metrics are kept in the store, so a changed `require` is judged without measuring again.
";
