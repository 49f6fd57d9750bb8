//! LLMP1002: NoFiles.

use llmp_grammar::{Info, Severity};

/// Row of the code table.
pub const INFO: Info = Info { code: "LLMP1002", name: "NoFiles", severity: Severity::Error, doc: DOC };

const DOC: &str = "\
A path of the program matches no file, or a repository is not in the Hugging Face cache.

Paths are relative to the file that names them. `data:…` paths lie where `--root data=FOLDER` says.
`hf(\"org/name\")` is looked for in the cache folder (`HF_HUB_CACHE`, `HF_HOME`, else `~/.cache/huggingface/hub`).
Nothing is fetched: `huggingface-cli download org/name` does that, with `--repo-type dataset` for data.
";
