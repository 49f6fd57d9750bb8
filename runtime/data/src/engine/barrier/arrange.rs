//! A new order: documents are spilled in sorted runs by their rank, and read back merged, from any rank on.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fs::File,
    io::{BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
};

use rayon::prelude::*;

use super::Marks;
use crate::{
    context::Context,
    engine::{
        Segment,
        chunks::{Chunks, Item, Position},
        packed::{Packed, unpacked},
        run::each_chunk,
    },
    error::{DataError, Result},
};

/// Bytes of rows per frame of a run: what is read at once.
const FRAME_BYTES: usize = 1 << 18;

/// What stands at the beginning of a run: where the next chunk begins, whether there is one, documents so far; then for
/// each frame the rank of its first row and its bytes.
type Head = ((u64, u64, bool, u64), Vec<(u64, u64)>);

/// Rank, packed mark, line.
type Row = (u64, Option<Vec<u8>>, Vec<u8>);

/// The file of ranks: eight bytes for each document, in document order.
pub(super) fn ranks(folder: &Path) -> PathBuf {
    folder.join("ranks")
}

/// Makes the runs that are missing. A run holds about [`Segment::memory`] bytes of documents.
pub(super) fn arrange(segment: &Segment, folder: &Path, ctx: &Context<'_>) -> Result<()> {
    let there = files(folder).count();
    let (mut next, mut done, mut documents) = (Position::default(), false, 0);
    if there > 0 {
        let (head, _) = open(&file(folder, there - 1))?;
        (next, done, documents) =
            (Position { input: head.0.0 as usize, record: head.0.1 }, head.0.2, head.0.3);
    }
    if done {
        return Ok(());
    }
    let mut marks = Marks::open(folder, documents)?;
    let path = ranks(folder);
    let fail = |e| DataError::io("read", &path, e);
    let mut ranks = BufReader::new(File::open(&path).map_err(fail)?);
    ranks.seek(SeekFrom::Start(8 * documents)).map_err(fail)?;
    let (mut rows, mut bytes, mut number) = (Vec::new(), 0, there);
    each_chunk(Chunks::new(segment, next)?, |chunk| {
        ctx.check()?;
        for item in chunk.items {
            let Item::Stored { line, .. } = item else { continue };
            let mut rank = [0; 8];
            ranks.read_exact(&mut rank).map_err(fail)?;
            bytes += line.len() as u64;
            documents += 1;
            rows.push((u64::from_le_bytes(rank), marks.packed()?, line));
        }
        if chunk.done || bytes >= segment.memory {
            let head = (chunk.after.input as u64, chunk.after.record, chunk.done, documents);
            ctx.write_whole(&file(folder, number), &run(head, &mut rows)?)?;
            (bytes, number) = (0, number + 1);
            rows.clear();
        }
        Ok(())
    })
}

/// Sorted rows as one file.
fn run(head: (u64, u64, bool, u64), rows: &mut [Row]) -> Result<Vec<u8>> {
    rows.par_sort_unstable_by_key(|row| row.0);
    let mut frames: Vec<(u64, Vec<u8>)> = Vec::new();
    for row in rows.iter() {
        match frames.last_mut() {
            Some((_, frame)) if frame.len() < FRAME_BYTES => row.pack(frame),
            _ => {
                let mut frame = Vec::new();
                row.pack(&mut frame);
                frames.push((row.0, frame));
            }
        }
    }
    let packed = frames.par_iter().map(|(first, frame)| Ok((*first, zstd::encode_all(&frame[..], 1)?)));
    let packed: Vec<(u64, Vec<u8>)> = packed
        .collect::<std::io::Result<_>>()
        .map_err(|e| DataError::io("compress", Path::new("documents in their new order"), e))?;
    let index = packed.iter().map(|(first, frame)| (*first, frame.len() as u64)).collect();
    let mut bytes = Vec::new();
    let head: Head = (head, index);
    head.pack(&mut bytes);
    packed.into_iter().for_each(|(_, frame)| bytes.extend(frame));
    Ok(bytes)
}

/// The head of a run, and where its frames begin.
fn open(path: &Path) -> Result<(Head, u64)> {
    let fail = |e| DataError::io("read", path, e);
    let mut file = File::open(path).map_err(fail)?;
    // Head and number of frames first, then the index.
    let mut bytes = vec![0; 8 + 8 + 1 + 8 + 4];
    file.read_exact(&mut bytes).map_err(fail)?;
    let frames: u32 = unpacked(&mut &bytes[25..], path)?;
    file.take(16 * u64::from(frames)).read_to_end(&mut bytes).map_err(fail)?;
    Ok((unpacked(&mut &bytes[..], path)?, bytes.len() as u64))
}

/// Documents by rank.
pub(in crate::engine) struct Arranged {
    runs: Vec<Run>,
    /// The next row of each run: its rank, then the run.
    heads: BinaryHeap<Reverse<(u64, usize)>>,
}

struct Run {
    path: Arc<PathBuf>,
    file: File,
    /// Bytes of the frames that are not read yet.
    frames: std::vec::IntoIter<u64>,
    rows: std::vec::IntoIter<Row>,
    head: Option<Row>,
}

impl Arranged {
    /// The documents from a rank on.
    pub(in crate::engine) fn open(folder: &Path, rank: u64) -> Result<Arranged> {
        let mut arranged = Arranged { runs: Vec::new(), heads: BinaryHeap::new() };
        for path in files(folder) {
            let ((_, index), mut start) = open(&path)?;
            // The last frame that begins at or before the rank.
            let skip = index.partition_point(|(first, _)| *first <= rank).saturating_sub(1);
            start += index[..skip].iter().map(|(_, size)| size).sum::<u64>();
            let mut file = File::open(&path).map_err(|e| DataError::io("open", &path, e))?;
            file.seek(SeekFrom::Start(start)).map_err(|e| DataError::io("read", &path, e))?;
            let frames: Vec<u64> = index[skip..].iter().map(|(_, size)| *size).collect();
            let rows = Vec::new().into_iter();
            let mut run = Run { path: Arc::new(path), file, frames: frames.into_iter(), rows, head: None };
            run.advance()?;
            while run.head.as_ref().is_some_and(|row| row.0 < rank) {
                run.advance()?;
            }
            arranged.heads.extend(run.head.as_ref().map(|row| Reverse((row.0, arranged.runs.len()))));
            arranged.runs.push(run);
        }
        Ok(arranged)
    }

    /// The next document.
    pub(in crate::engine) fn step(&mut self) -> Result<Option<Item>> {
        let Some(Reverse((_, index))) = self.heads.pop() else { return Ok(None) };
        let run = &mut self.runs[index];
        let Some((_, mark, line)) = run.head.take() else { return Ok(None) };
        run.advance()?;
        self.heads.extend(run.head.as_ref().map(|row| Reverse((row.0, index))));
        let mark = mark.map(|mark| unpacked(&mut &mark[..], &run.path)).transpose()?;
        Ok(Some(Item::Stored { path: run.path.clone(), line, mark }))
    }
}

impl Run {
    /// Takes the next row into `head`.
    fn advance(&mut self) -> Result<()> {
        self.head = self.rows.next();
        if self.head.is_none()
            && let Some(size) = self.frames.next()
        {
            let fail = |e| DataError::io("read", &self.path, e);
            let mut frame = vec![0; size as usize];
            self.file.read_exact(&mut frame).map_err(fail)?;
            let bytes = zstd::decode_all(&frame[..]).map_err(fail)?;
            let (mut from, mut rows) = (&bytes[..], Vec::new());
            while !from.is_empty() {
                rows.push(unpacked(&mut from, &self.path)?);
            }
            self.rows = rows.into_iter();
            self.head = self.rows.next();
        }
        Ok(())
    }
}

fn files(folder: &Path) -> impl Iterator<Item = PathBuf> + use<'_> {
    (0..).map(|number| file(folder, number)).take_while(|path| path.exists())
}

fn file(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("arranged-{number:05}"))
}
