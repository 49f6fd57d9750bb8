//! LLMP1205: Held up.

use llmp_grammar::{Info, Severity};

/// Row of the code table.
pub const INFO: Info = Info { code: "LLMP1205", name: "HeldUp", severity: Severity::Warning, doc: DOC };

const DOC: &str = "\
A stage did not go straight on, and did what its program says for this case.

The loss jumped under `on_spike = rewind(…)`: the weights are those of an earlier step again, and the data that led to the jump
are not read again. Or the gate of a growing context stayed shut under `on_fail = extend`: this part of the stage goes on for as long again.
The message names the step and what was measured; `metrics.jsonl` of the stage has the same in the line of that step.
";
