//! Published evaluation sets as JSON lines, where `eval:` lies.

use std::io::BufRead;

use llmp_data::readers::{Decoded, Roots, Tap};
use serde_json::Value as Json;

use crate::error::{Result, TrainError};
use crate::suites;

/// The records of a set, file by file. Errors: no file, a line that is no JSON.
pub(super) fn records(suite: &str, roots: &Roots) -> Result<Vec<Json>> {
    let glob = suites::files(suite).unwrap_or_default();
    let place = "evaluation sets lie in the folder `eval` of the project, or where --root eval=FOLDER says";
    let files = roots.files(&glob).map_err(|e| TrainError::Settings(format!("{e}: {place}")))?;
    let mut records = Vec::new();
    for file in files {
        let bad = |line: usize, e: String| TrainError::Settings(format!("{}: line {line}: {e}", file.label));
        let lines = Decoded::new(Tap::open(&file)?).map_err(TrainError::io("read", &file.path))?;
        for (at, line) in (1..).zip(lines.split(b'\n')) {
            let line = line.map_err(|e| bad(at, e.to_string()))?;
            if !line.trim_ascii().is_empty() {
                records.push(serde_json::from_slice(&line).map_err(|e| bad(at, e.to_string()))?);
            }
        }
    }
    if records.is_empty() {
        return Err(TrainError::Settings(format!("`{glob}` holds no question: {place}")));
    }
    Ok(records)
}

/// A text of a record.
pub(super) fn text<'a>(record: &'a Json, name: &str) -> Option<&'a str> {
    record.get(name).and_then(Json::as_str)
}

/// A text that a record must have.
pub(super) fn needed<'a>(record: &'a Json, name: &str) -> Result<&'a str> {
    let words = || TrainError::Settings(format!("a question without `{name}`: {record}"));
    text(record, name).ok_or_else(words)
}
