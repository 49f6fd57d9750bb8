//! The segment engine: one read of the input, all following maps fused over it, parts written as they are finished.
//!
//! Work goes chunk by chunk. A chunk is a fixed amount of input ([`CHUNK_BYTES`], [`CHUNK_RECORDS`]) and gives at most
//! one part, so parts do not depend on threads; after each part a line is added to the journal, and a run that was
//! killed goes on after its last line.

mod barrier;
mod chunks;
mod journal;
mod packed;
mod run;
mod sort;

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{
    document::Document,
    error::{BadRecord, DataError, Result},
    ledger::Origins,
    readers::{FileFacts, Reader, SourceFile},
    steps::{Barrier, Count, Map, Split},
};

pub use barrier::Desk;
pub use packed::{Packed, ordered};
pub use run::run;
pub use sort::{Row, Sorted, Sorter};

/// Input bytes (decompressed) after which a chunk ends.
pub const CHUNK_BYTES: u64 = 16 << 20;
/// Input records after which a chunk ends.
pub const CHUNK_RECORDS: u64 = 1 << 16;
/// Bytes that one buffer of a barrier's decision may take.
pub const MEMORY: u64 = 64 << 20;
/// Bad records that are kept with their place; all are counted.
pub const BAD_RECORDS_KEPT: usize = 1000;

/// Where a segment's documents come from.
#[derive(Clone, Debug)]
pub enum Input {
    /// Files through readers, in order.
    Source(Vec<(Arc<dyn Reader>, Vec<SourceFile>)>),
    /// Folders of parts that earlier segments wrote, in order.
    Stored(Vec<PathBuf>),
}

/// A map with the folder that its dropped documents go to.
#[derive(Clone, Debug)]
pub struct Stage {
    /// The step.
    pub map: Arc<dyn Map>,
    /// Folder for dropped documents: `part-NNNNN.jsonl.zst` with `step` and `reason` added to each document.
    pub rejects: Option<PathBuf>,
}

/// A barrier with the folder that its dropped documents go to.
#[derive(Clone, Debug)]
pub struct BarrierStage {
    /// The step.
    pub barrier: Arc<dyn Barrier>,
    /// As [`Stage::rejects`].
    pub rejects: Option<PathBuf>,
}

/// One run from an input to a folder of documents.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Where documents come from.
    pub input: Input,
    /// A step over the whole set, before the maps. Its input must be [`Input::Stored`]: it is read twice.
    pub barrier: Option<BarrierStage>,
    /// Maps in order.
    pub maps: Vec<Stage>,
    /// Cuts what is left in two: the held-out part goes to the second folder.
    pub split: Option<(Split, PathBuf)>,
    /// The folder that gets `part-NNNNN.jsonl.zst` and `journal.jsonl`. Give the same folder again to resume.
    pub out: PathBuf,
    /// Which sources the documents come from, for the ledger.
    pub origins: Arc<Origins>,
    /// Input bytes (decompressed) after which a chunk ends: [`CHUNK_BYTES`], less in tests.
    pub chunk_bytes: u64,
    /// Bytes that one buffer of a barrier's decision may take before it spills: [`MEMORY`], less in tests.
    pub memory: u64,
}

impl Segment {
    /// A segment without steps.
    pub fn new(input: Input, out: impl Into<PathBuf>) -> Segment {
        Segment {
            input,
            barrier: None,
            maps: Vec::new(),
            split: None,
            out: out.into(),
            origins: Arc::default(),
            chunk_bytes: CHUNK_BYTES,
            memory: MEMORY,
        }
    }
}

/// One stored part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// File name in the folder.
    pub name: String,
    /// Documents in it.
    pub documents: u64,
    /// Bytes of its lines before compression.
    pub bytes: u64,
}

/// Documents in a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Identity of the documents: `h = BLAKE3(h || BLAKE3(line))` over all lines in order, from 32 zero bytes. It does
    /// not depend on how lines are cut into parts.
    pub hash: String,
    /// Documents kept.
    pub documents: u64,
    /// Bytes of their lines before compression.
    pub bytes: u64,
    /// The parts, in order.
    pub parts: Vec<Part>,
}

impl Default for Stored {
    /// No documents.
    fn default() -> Stored {
        let hash = blake3::Hash::from_bytes([0; 32]).to_hex().to_string();
        Stored { hash, documents: 0, bytes: 0, parts: Vec::new() }
    }
}

/// What a segment did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The documents in [`Segment::out`].
    pub main: Stored,
    /// The documents in the second folder of [`Segment::split`].
    pub heldout: Stored,
    /// Counts of the reader or store, then the barrier, the maps, the split.
    pub counts: Vec<Count>,
    /// The first [`BAD_RECORDS_KEPT`] bad records, with their places.
    pub bad: Vec<BadRecord>,
    /// How many bad records there were.
    pub bad_records: u64,
    /// Source files that were read, with their hashes.
    pub files: Vec<FileFacts>,
}

/// The documents stored in a folder, in order.
///
/// Errors: a part that cannot be read or is not what [`run`] writes.
pub fn documents(folder: &Path) -> Result<impl Iterator<Item = Result<Document>> + Send + use<>> {
    Ok(lines(folder)?.map(|line| {
        let (path, line) = line?;
        serde_json::from_slice(&line).map_err(|e| DataError::artifact(&path, e))
    }))
}

/// The stored lines of a folder, with the part that each lies in.
pub(crate) fn lines(
    folder: &Path,
) -> Result<impl Iterator<Item = Result<(Arc<PathBuf>, Vec<u8>)>> + Send + use<>> {
    Ok(parts(folder)?.into_iter().flat_map(part_lines))
}

/// The stored parts of a folder, in order.
pub(crate) fn parts(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut parts = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|e| DataError::io("open", folder, e))? {
        let path = entry.map_err(|e| DataError::io("open", folder, e))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("part-") && name.ends_with(".jsonl.zst") {
            parts.push(path);
        }
    }
    // Part numbers have at least five digits: longer names are later ones.
    parts.sort_by_key(|path| (path.as_os_str().len(), path.clone()));
    Ok(parts)
}

/// The lines of one part.
fn part_lines(path: PathBuf) -> impl Iterator<Item = Result<(Arc<PathBuf>, Vec<u8>)>> + Send {
    let path = Arc::new(path);
    let opened = File::open(&*path).and_then(zstd::Decoder::new).map(BufReader::new);
    let (mut reader, mut failed) = match opened {
        Ok(reader) => (Some(reader), None),
        Err(e) => (None, Some(DataError::io("open", &path, e))),
    };
    std::iter::from_fn(move || {
        if let Some(error) = failed.take() {
            return Some(Err(error));
        }
        let mut line = Vec::new();
        match reader.as_mut()?.read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => {
                line.pop_if(|byte| *byte == b'\n');
                Some(Ok((path.clone(), line)))
            }
            Err(e) => {
                reader = None;
                Some(Err(DataError::io("read", &path, e)))
            }
        }
    })
}
