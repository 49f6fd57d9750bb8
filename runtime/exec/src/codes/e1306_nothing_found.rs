//! LLMP1306: Nothing found.

use llmp_grammar::{Info, Severity};

/// Row of the code table.
pub const INFO: Info = Info { code: "LLMP1306", name: "NothingFound", severity: Severity::Error, doc: DOC };

const DOC: &str = "\
`llmp trace` or `llmp data diff` was asked for a document or a result that is not there.

An id is the label of a file and the number of the record in it, counted from 0: `books/alice.txt#0`. Addresses are compared
letter by letter. What was never run has no documents: run the program first.
";
