//! LLMP1204: What a comparison holds was not equal.

use llmp_grammar::{Info, Severity};

/// Row of the code table.
pub const INFO: Info = Info { code: "LLMP1204", name: "NotHeld", severity: Severity::Error, doc: DOC };

const DOC: &str = "\
The arms of a comparison used different amounts of what `hold` names, by more than a hundredth: a difference between their
results may come from the budget.

The message names the runs with the least and the most. What was trained and measured is kept: `hold = none`, or another
`hold`, needs no training again. `llmp check` warns beforehand where the amounts are known (LLMP0615).
";
