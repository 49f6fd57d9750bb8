//! LLMP1202: Requirement.

use llmp_grammar::{Info, Severity};

/// Row of the code table.
pub const INFO: Info = Info { code: "LLMP1202", name: "Requirement", severity: Severity::Error, doc: DOC };

const DOC: &str = "\
A metric does not fulfil what an `eval` requires.

The message names each metric that fails with its value and its bound. What was trained is kept, so that a changed `require`, or a
longer stage, goes on from it; what stands behind the evaluation (a `release` of `gate.model`) is not made by this run.
";
