//! The journal of a segment: one line per finished chunk, so that a killed run goes on after its last line.

use std::{
    fs::{self, File, OpenOptions},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{Part, Summary, chunks::Position};
use crate::{
    context::Context,
    error::{BadRecord, DataError, Result},
    readers::FileFacts,
    steps::Count,
};

const NAME: &str = "journal.jsonl";

/// What one finished chunk adds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Where the next chunk begins.
    pub(super) after: Position,
    /// Records taken since the beginning.
    pub(super) records: u64,
    /// The chained hashes of all lines so far: training, held out.
    pub(super) hashes: [String; 2],
    /// The parts that the chunk gave: training, held out; none where it gave no document.
    pub(super) parts: [Option<Part>; 2],
    /// Counts since the beginning.
    pub(super) counts: Vec<Count>,
    /// Bad records since the beginning.
    pub(super) bad_records: u64,
    /// The chunk's bad records that are kept.
    pub(super) bad: Vec<BadRecord>,
    /// Source files that ended in the chunk.
    pub(super) files: Vec<FileFacts>,
    /// Whether the input is at its end.
    pub(super) done: bool,
}

/// The journal file and all that it says.
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    /// Where the next chunk begins.
    pub(super) next: Position,
    /// Records taken.
    pub(super) records: u64,
    /// Chunks finished.
    pub(super) chunks: u64,
    /// Whether the input is at its end.
    pub(super) done: bool,
    /// The result so far.
    pub(super) summary: Summary,
}

impl Journal {
    /// Opens the journal of `folder`, cutting off a half-written last line; `counts` are the counts at the beginning.
    pub(super) fn open(folder: &Path, counts: Vec<Count>) -> Result<Journal> {
        let path = folder.join(NAME);
        let old = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(DataError::io("read", &path, e)),
        };
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let file = file.map_err(|e| DataError::io("open", &path, e))?;
        let summary = Summary { counts, ..Summary::default() };
        let mut journal =
            Journal { path, file, next: Position::default(), records: 0, chunks: 0, done: false, summary };
        let mut good = 0;
        for line in old.split_inclusive(|&b| b == b'\n') {
            let Ok(entry) = serde_json::from_slice::<Entry>(line) else { break };
            if !line.ends_with(b"\n") {
                break;
            }
            good += line.len();
            journal.take(entry);
        }
        if good < old.len() {
            journal.file.set_len(good as u64).map_err(|e| DataError::io("truncate", &journal.path, e))?;
        }
        Ok(journal)
    }

    /// Adds an entry to the file and to the result.
    pub(super) fn add(&mut self, ctx: &Context<'_>, entry: Entry) -> Result<()> {
        let mut line = serde_json::to_vec(&entry).map_err(|e| DataError::artifact(&self.path, e))?;
        line.push(b'\n');
        ctx.append(&self.path, &mut self.file, &line)?;
        self.take(entry);
        Ok(())
    }

    fn take(&mut self, entry: Entry) {
        self.next = entry.after;
        self.records = entry.records;
        self.chunks += 1;
        self.done = entry.done;
        let summary = &mut self.summary;
        summary.counts = entry.counts;
        summary.bad_records = entry.bad_records;
        summary.bad.extend(entry.bad);
        summary.files.extend(entry.files);
        let outputs = [&mut summary.main, &mut summary.heldout];
        for (stored, (hash, part)) in outputs.into_iter().zip(entry.hashes.into_iter().zip(entry.parts)) {
            stored.hash = hash;
            if let Some(part) = part {
                stored.documents += part.documents;
                stored.bytes += part.bytes;
                stored.parts.push(part);
            }
        }
    }
}
