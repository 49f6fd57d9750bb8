//! LLMP1201: Training.

use llmp_grammar::{Info, Severity};

/// Row of the code table.
pub const INFO: Info = Info { code: "LLMP1201", name: "Training", severity: Severity::Error, doc: DOC };

const DOC: &str = "\
Training cannot go on.

Most often the loss or a gradient is not a finite number; the message names the step and the first tensor that holds such a value,
and nothing was changed by that step. A smaller `peak` of the schedule, a longer `warmup` or a smaller `clip` help.
";
