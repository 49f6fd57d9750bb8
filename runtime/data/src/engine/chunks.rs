//! Chunks: fixed amounts of input, cut where the input says and not where a thread happens to be.

use std::{path::PathBuf, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{CHUNK_RECORDS, Input, Segment};
use crate::{
    error::Result,
    readers::{Body, FileFacts, Reader, Record, Records, SourceFile, Tap},
};

/// A place in the input: `record` records of file number `file` are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    pub(super) file: usize,
    pub(super) record: u64,
}

/// One record with what is needed to parse it.
pub(super) enum Item {
    /// From a source; `reader` is its number among the segment's readers.
    Source { reader: usize, file: Arc<SourceFile>, record: Record },
    /// A stored line and the part it lies in.
    Stored { path: Arc<PathBuf>, line: Vec<u8> },
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
}

enum File {
    Source(usize, Arc<dyn Reader>, Arc<SourceFile>),
    Stored(PathBuf),
}

/// Cuts an input into chunks, from any position on.
pub(super) struct Chunks {
    files: Vec<File>,
    at: Position,
    open: Option<Open>,
    done: bool,
    bytes: u64,
    chunk_bytes: u64,
}

impl Chunks {
    pub(super) fn new(segment: &Segment, at: Position) -> Chunks {
        let files: Vec<File> = match &segment.input {
            Input::Source(sources) => {
                let flat = sources.iter().enumerate().flat_map(|(n, (reader, files))| {
                    files.iter().map(move |file| File::Source(n, reader.clone(), Arc::new(file.clone())))
                });
                flat.collect()
            }
            Input::Stored(folders) => folders.iter().cloned().map(File::Stored).collect(),
        };
        let bytes = files.iter().take(at.file).map(File::bytes).sum();
        Chunks { files, at, open: None, done: false, bytes, chunk_bytes: segment.chunk_bytes }
    }

    /// The next record, or `None` at the end of a file.
    fn step(&mut self) -> Result<Option<Item>> {
        if self.open.is_none() {
            let mut open = self.files[self.at.file].open()?;
            for _ in 0..self.at.record {
                open.step()?;
            }
            self.open = Some(open);
        }
        match &mut self.open {
            Some(open) => open.step(),
            None => Ok(None),
        }
    }

    fn chunk(&mut self) -> Result<Chunk> {
        let mut items = Vec::new();
        let mut finished = Vec::new();
        let mut bytes = 0;
        while self.at.file < self.files.len()
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
            self.bytes += self.files[self.at.file].bytes();
            self.at = Position { file: self.at.file + 1, record: 0 };
        }
        self.done = self.at.file >= self.files.len();
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
    fn open(&self) -> Result<Open> {
        match self {
            File::Source(reader, format, file) => {
                let tap = Tap::open(file)?;
                let records = format.open(file, tap.clone())?;
                Ok(Open::Source { reader: *reader, file: file.clone(), records, tap })
            }
            File::Stored(folder) => Ok(Open::Stored(Box::new(super::lines(folder)?))),
        }
    }

    fn bytes(&self) -> u64 {
        match self {
            File::Source(_, _, file) => file.bytes,
            File::Stored(_) => 0,
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
                Some(line) => line.map(|(path, line)| Some(Item::Stored { path, line })),
                None => Ok(None),
            },
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
