//! LLMP1003: BadData.

use llmp_grammar::{Info, Severity};

/// Row of the code table.
pub const INFO: Info = Info { code: "LLMP1003", name: "BadData", severity: Severity::Error, doc: DOC };

const DOC: &str = "\
A step cannot work with what it was given: a model file in another format, a tokenizer that cannot be trained
on so little text, a stored result that was damaged.

The message names the step, the file and what is wrong. A damaged result is made again after its folder is removed.
";
