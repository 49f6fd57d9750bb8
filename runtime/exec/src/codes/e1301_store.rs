//! LLMP1301: Store.

use llmp_grammar::{Info, Severity};

/// Row of the code table.
pub const INFO: Info = Info { code: "LLMP1301", name: "Store", severity: Severity::Error, doc: DOC };

const DOC: &str = "\
A file of the store is not what it must be.

The message names it. Removing the folder of that result makes it again; nothing else is lost.
";
