//! Chunks: fixed amounts of input, cut where the input says and not where a thread happens to be.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{
    CHUNK_RECORDS, Input, Segment,
    barrier::{Arranged, Marks},
};
use crate::{
    error::Result,
    readers::{Body, FileFacts, Reader, Record, Records, SourceFile, Tap},
    steps::Mark,
};

/// A place in the input: `record` records of input number `input` are taken. An input is a source file, a stored part, or
/// the whole arranged set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    pub(super) input: usize,
    pub(super) record: u64,
}

/// One record with what is needed to parse it.
pub(super) enum Item {
    /// From a source; `reader` is its number among the segment's readers.
    Source { reader: usize, file: Arc<SourceFile>, record: Record },
    /// A stored line, the part it lies in, and what the barrier decided about it.
    Stored { path: Arc<PathBuf>, line: Vec<u8>, mark: Option<Mark> },
}

/// A fixed amount of input.
pub(super) struct Chunk {
    pub(super) items: Vec<Item>,
    pub(super) after: Position,
    pub(super) finished: Vec<FileFacts>,
    pub(super) done: bool,
    /// Bytes of source files read so far, before decompression.
    pub(super) bytes: u64,
}

type Lines = Box<dyn Iterator<Item = Result<(Arc<PathBuf>, Vec<u8>)>> + Send>;

enum Open {
    Source { reader: usize, file: Arc<SourceFile>, records: Records, tap: Tap },
    Stored(Lines),
    Arranged(Arranged),
}

enum File {
    Source(usize, Arc<dyn Reader>, Arc<SourceFile>),
    Part(PathBuf),
    /// The folder of a barrier that gave the documents a new order.
    Arranged(PathBuf),
}

/// Cuts an input into chunks, from any position on.
pub(super) struct Chunks {
    files: Vec<File>,
    at: Position,
    open: Option<Open>,
    done: bool,
    marks: Option<Marks>,
    bytes: u64,
    chunk_bytes: u64,
}

impl Chunks {
    /// The input of a segment.
    pub(super) fn new(segment: &Segment, at: Position) -> Result<Chunks> {
        let files = match &segment.input {
            Input::Source(sources) => {
                let flat = sources.iter().enumerate().flat_map(|(n, (reader, files))| {
                    files.iter().map(move |file| File::Source(n, reader.clone(), Arc::new(file.clone())))
                });
                flat.collect()
            }
            Input::Stored(folders) => {
                let parts = folders.iter().map(|folder| super::parts(folder)).collect::<Result<Vec<_>>>()?;
                parts.into_iter().flatten().map(File::Part).collect()
            }
        };
        Ok(Chunks::over(files, segment, at))
    }

    /// The documents of a barrier's folder in their new order.
    pub(super) fn arranged(segment: &Segment, folder: &Path, at: Position) -> Chunks {
        Chunks::over(vec![File::Arranged(folder.to_path_buf())], segment, at)
    }

    /// Gives every stored document its mark.
    pub(super) fn with_marks(self, marks: Marks) -> Chunks {
        Chunks { marks: Some(marks), ..self }
    }

    fn over(files: Vec<File>, segment: &Segment, at: Position) -> Chunks {
        let bytes = files.iter().take(at.input).map(File::bytes).sum();
        Chunks { files, at, open: None, marks: None, done: false, bytes, chunk_bytes: segment.chunk_bytes }
    }

    /// The next record, or `None` at the end of a file.
    fn step(&mut self) -> Result<Option<Item>> {
        if self.open.is_none() {
            self.open = Some(self.files[self.at.input].open(self.at.record)?);
        }
        let Some(open) = &mut self.open else { return Ok(None) };
        let mut item = open.step()?;
        if let (Some(Item::Stored { mark, .. }), Some(marks)) = (&mut item, &mut self.marks) {
            *mark = marks.mark()?;
        }
        Ok(item)
    }

    fn chunk(&mut self) -> Result<Chunk> {
        let mut items = Vec::new();
        let mut finished = Vec::new();
        let mut bytes = 0;
        while self.at.input < self.files.len()
            && bytes < self.chunk_bytes
            && (items.len() as u64) < CHUNK_RECORDS
        {
            if let Some(item) = self.step()? {
                bytes += item.bytes();
                self.at.record += 1;
                items.push(item);
                continue;
            }
            if let Some(Open::Source { tap, file, .. }) = self.open.take() {
                let facts = tap.finish();
                finished.push(facts.map_err(|e| crate::DataError::io("read", &file.path, e))?);
            }
            self.bytes += self.files[self.at.input].bytes();
            self.at = Position { input: self.at.input + 1, record: 0 };
        }
        self.done = self.at.input >= self.files.len();
        let inside = match &self.open {
            Some(Open::Source { tap, .. }) => tap.position(),
            _ => 0,
        };
        Ok(Chunk { items, after: self.at, finished, done: self.done, bytes: self.bytes + inside })
    }
}

impl Iterator for Chunks {
    type Item = Result<Chunk>;

    /// The next chunk; the last one says `done` and may be empty.
    fn next(&mut self) -> Option<Result<Chunk>> {
        if self.done {
            return None;
        }
        let chunk = self.chunk();
        self.done |= chunk.is_err();
        Some(chunk)
    }
}

impl File {
    /// Opens it behind its first `record` records.
    fn open(&self, record: u64) -> Result<Open> {
        let mut open = match self {
            File::Source(reader, format, file) => {
                let tap = Tap::open(file)?;
                let records = format.open(file, tap.clone())?;
                Open::Source { reader: *reader, file: file.clone(), records, tap }
            }
            File::Part(path) => Open::Stored(Box::new(super::part_lines(path.clone()))),
            File::Arranged(folder) => return Arranged::open(folder, record).map(Open::Arranged),
        };
        for _ in 0..record {
            open.step()?;
        }
        Ok(open)
    }

    fn bytes(&self) -> u64 {
        match self {
            File::Source(_, _, file) => file.bytes,
            File::Part(_) | File::Arranged(_) => 0,
        }
    }
}

impl Open {
    fn step(&mut self) -> Result<Option<Item>> {
        match self {
            Open::Source { reader, file, records, .. } => match records.next() {
                Some(record) => {
                    Ok(Some(Item::Source { reader: *reader, file: file.clone(), record: record? }))
                }
                None => Ok(None),
            },
            Open::Stored(lines) => match lines.next() {
                Some(line) => line.map(|(path, line)| Some(Item::Stored { path, line, mark: None })),
                None => Ok(None),
            },
            Open::Arranged(documents) => documents.step(),
        }
    }
}

impl Item {
    /// The id of the document that it would give; empty for a stored line, which holds its own.
    pub(super) fn id(&self) -> String {
        match self {
            Item::Source { file, record, .. } => format!("{}#{}", file.label, record.index),
            Item::Stored { .. } => String::new(),
        }
    }

    /// What the barrier decided, if it said something.
    pub(super) fn take_mark(&mut self) -> Option<Mark> {
        match self {
            Item::Stored { mark, .. } => mark.take(),
            Item::Source { .. } => None,
        }
    }

    /// Bytes that count towards the chunk.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Item::Source { record, .. } => match &record.body {
                Body::Bytes(bytes) => bytes.len() as u64,
                Body::Document(doc) => doc.bytes(),
                Body::Skipped(_) | Body::Bad(_) => 0,
            },
            Item::Stored { line, .. } => line.len() as u64,
        }
    }
}
