//! Lists in files that steps read before they run.

use std::io::Read;

use llmp_stdlib::arg::FilePath;

use crate::{
    error::{DataError, Result},
    readers::{Decoded, Roots, SourceFile, Tap},
};

/// The content of a file, decompressed where it is compressed.
pub(super) fn bytes(file: &SourceFile) -> Result<Vec<u8>> {
    let failed = |e| DataError::io("read", &file.path, e);
    let mut bytes = Vec::new();
    let mut input = Decoded::new(Tap::open(file)?).map_err(failed)?;
    input.read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// The lines of a list, or of all lists that a glob names, without blank lines and what stands behind a `#`.
///
/// Errors: a file that is missing, cannot be read, is no UTF-8 or lists nothing.
pub(super) fn entries(roots: &Roots, step: &'static str, list: &FilePath) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for file in roots.files(&list.0)? {
        let text = String::from_utf8(bytes(&file)?);
        let text =
            text.map_err(|_| DataError::Step { step, what: format!("`{}` is not UTF-8", file.label) })?;
        let lines = text.lines().map(|line| line.split_once('#').map_or(line, |(line, _)| line).trim());
        all.extend(lines.filter(|line| !line.is_empty()).map(str::to_string));
    }
    if all.is_empty() {
        return Err(DataError::Step { step, what: format!("`{}` lists nothing", list.0) });
    }
    Ok(all)
}
