//! What was said in a pass, one line a record in the order in which records were finished.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Passed;
use crate::error::{Result, TrainError};

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Line {
    /// Number of the record.
    record: u64,
    /// What was said, or why the record leaves.
    #[serde(flatten)]
    entry: Entry,
}

/// What a pass knows of a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry {
    /// What was said.
    Said(Passed),
    /// The record leaves, for this reason.
    Lost(String),
}

/// The journal of a pass: which records it has, and where.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    /// Where the line of a record begins, and its length.
    lines: BTreeMap<u64, (u64, usize)>,
    length: u64,
}

impl Journal {
    /// Opens or begins a journal; a half-written last line is cut off.
    pub(super) fn open(path: &Path) -> Result<Journal> {
        let file = OpenOptions::new().create(true).read(true).append(true).open(path);
        let file = file.map_err(TrainError::io("open", path))?;
        let mut journal = Journal { path: path.to_owned(), file, lines: BTreeMap::new(), length: 0 };
        let read = File::open(path).map_err(TrainError::io("open", path))?;
        let mut read = BufReader::new(read);
        let mut line = Vec::new();
        while read.read_until(b'\n', &mut line).map_err(TrainError::io("read", path))? > 0 {
            let Ok(found) = serde_json::from_slice::<Line>(&line) else { break };
            if !line.ends_with(b"\n") {
                break;
            }
            journal.lines.insert(found.record, (journal.length, line.len()));
            journal.length += line.len() as u64;
            line.clear();
        }
        journal.file.set_len(journal.length).map_err(TrainError::io("truncate", path))?;
        Ok(journal)
    }

    /// How many records it has.
    pub(super) fn len(&self) -> u64 {
        self.lines.len() as u64
    }

    /// Whether it has a record.
    pub(super) fn has(&self, record: u64) -> bool {
        self.lines.contains_key(&record)
    }

    /// What it knows of a record.
    pub(super) fn get(&mut self, record: u64) -> Result<Option<Entry>> {
        let Some((at, length)) = self.lines.get(&record).copied() else { return Ok(None) };
        let mut line = vec![0; length];
        let read = self.file.seek(SeekFrom::Start(at)).and_then(|_| self.file.read_exact(&mut line));
        read.map_err(TrainError::io("read", &self.path))?;
        let bad =
            |e: serde_json::Error| TrainError::Checkpoint { path: self.path.clone(), reason: e.to_string() };
        Ok(Some(serde_json::from_slice::<Line>(&line).map_err(bad)?.entry))
    }

    /// Adds what is known of a record; `at` is called between the halves of the line, where a test may end the process.
    pub(super) fn add(&mut self, record: u64, entry: Entry, at: &dyn Fn(&str)) -> Result<()> {
        let bad =
            |e: serde_json::Error| TrainError::Checkpoint { path: self.path.clone(), reason: e.to_string() };
        let mut line = serde_json::to_vec(&Line { record, entry }).map_err(bad)?;
        line.push(b'\n');
        let (head, tail) = line.split_at(line.len() / 2);
        let wrong = TrainError::io("write", &self.path);
        let written = self.file.write_all(head).and_then(|()| {
            at("inside an answer");
            self.file.write_all(tail)
        });
        written.map_err(wrong)?;
        at("after an answer");
        self.lines.insert(record, (self.length, line.len()));
        self.length += line.len() as u64;
        Ok(())
    }
}
