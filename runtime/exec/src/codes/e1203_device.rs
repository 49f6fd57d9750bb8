//! LLMP1203: The device of a run cannot be used.

use llmp_grammar::{Info, Severity};

/// Row of the code table.
pub const INFO: Info = Info { code: "LLMP1203", name: "Device", severity: Severity::Error, doc: DOC };

const DOC: &str = "\
`llmp run --device NAME` was given a device that cannot be used: its name is not `cpu` or `cuda:N`, this build has no CUDA
(`--features cuda`), there is no driver or no such GPU, the kernels cannot be compiled because NVRTC is missing, or a stage
needs more memory than the GPU has free.

Nothing was started. `--device cpu` always works. `cuda:N:composed` runs the plain definition of every operation in place of
the project's own kernels: slow, to compare with them.
";
