//! LLMP1001: BadRecord.

use llmp_grammar::{Info, Severity};

/// Row of the code table.
pub const INFO: Info = Info { code: "LLMP1001", name: "BadRecord", severity: Severity::Error, doc: DOC };

const DOC: &str = "\
A source holds a record that cannot be read, and its `on_error` is `stop`.

The message names the file and the line, record or byte. With `on_error = count` (the default) such records are counted, the
first of them shown with their places, and the run goes on with the others.
";
