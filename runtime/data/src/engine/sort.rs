//! Sorting more rows than memory holds: full buffers are sorted and spilled, the spilled runs are merged.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fs::{self, File},
    io::{Read, Write},
    marker::PhantomData,
    path::{Path, PathBuf},
};

use rayon::prelude::*;

use super::packed::Packed;
use crate::{
    context::Context,
    error::{DataError, Result},
};

/// Runs that are merged at once: each holds a file and a buffer of [`BUFFER`] bytes.
const FAN_IN: usize = 128;
const BUFFER: usize = 1 << 16;

/// A row that can be sorted on disk. Rows that compare as equal must be equal in every byte.
pub trait Row: Packed + Ord + Send {}
impl<R: Packed + Ord + Send> Row for R {}

/// Takes rows in any order and gives them sorted, in a fixed amount of memory.
///
/// The result depends neither on threads nor on where a buffer was full. What is spilled lies in a folder of its own;
/// an interrupted sort begins again.
pub struct Sorter<'a, R> {
    ctx: &'a Context<'a>,
    folder: PathBuf,
    /// Bytes that rows in memory may take.
    limit: usize,
    rows: Vec<R>,
    heap: usize,
    runs: Vec<PathBuf>,
    made: usize,
}

impl<'a, R: Row> Sorter<'a, R> {
    /// A sorter that holds `limit` bytes of rows and spills into `folder`, which it creates and removes.
    pub fn new(ctx: &'a Context<'a>, folder: PathBuf, limit: usize) -> Sorter<'a, R> {
        Sorter { ctx, folder, limit, rows: Vec::new(), heap: 0, runs: Vec::new(), made: 0 }
    }

    /// Adds a row.
    pub fn push(&mut self, row: R) -> Result<()> {
        if self.rows.capacity() == 0 {
            // All at once: pages that no row reaches are never touched, and no growth doubles the memory.
            self.rows.reserve_exact((self.limit / size_of::<R>().max(1)).max(1));
        }
        self.heap += row.heap();
        self.rows.push(row);
        let full = self.rows.len() * size_of::<R>() + self.heap >= self.limit;
        if full || self.rows.len() == self.rows.capacity() { self.spill() } else { Ok(()) }
    }

    fn spill(&mut self) -> Result<()> {
        self.rows.par_sort_unstable();
        let mut rows = std::mem::take(&mut self.rows);
        let run = self.write(rows.drain(..).map(Ok))?;
        self.runs.push(run);
        self.rows = rows;
        self.heap = 0;
        Ok(())
    }

    /// Writes sorted rows as one run.
    fn write(&mut self, rows: impl Iterator<Item = Result<R>>) -> Result<PathBuf> {
        self.ctx.check()?;
        fs::create_dir_all(&self.folder).map_err(|e| DataError::io("create", &self.folder, e))?;
        let path = self.folder.join(format!("run-{:05}", self.made));
        self.made += 1;
        let fail = |e| DataError::io("write", &path, e);
        self.ctx.failpoint("before spill");
        let mut file = File::create(&path).map_err(fail)?;
        let mut bytes = Vec::with_capacity(2 * BUFFER);
        for row in rows {
            row?.pack(&mut bytes);
            if bytes.len() >= BUFFER {
                file.write_all(&bytes).map_err(fail)?;
                bytes.clear();
            }
        }
        file.write_all(&bytes).map_err(fail)?;
        self.ctx.failpoint("after spill");
        Ok(path)
    }

    /// All rows in order.
    pub fn sorted(mut self) -> Result<Sorted<R>> {
        if self.runs.is_empty() {
            self.rows.par_sort_unstable();
            return Ok(Sorted { rows: self.rows.into_iter(), merge: Merge::default(), folder: None });
        }
        if !self.rows.is_empty() {
            self.spill()?;
        }
        self.rows = Vec::new();
        while self.runs.len() > FAN_IN {
            let some: Vec<PathBuf> = self.runs.drain(..FAN_IN).collect();
            let run = self.write(Merge::open(&some)?)?;
            self.runs.push(run);
            for path in some {
                fs::remove_file(&path).map_err(|e| DataError::io("remove", &path, e))?;
            }
        }
        Ok(Sorted {
            rows: Vec::new().into_iter(),
            merge: Merge::open(&self.runs)?,
            folder: Some(self.folder),
        })
    }
}

/// The rows of a [`Sorter`] in order. What was spilled is removed when this is dropped.
pub struct Sorted<R: Ord> {
    rows: std::vec::IntoIter<R>,
    merge: Merge<R>,
    folder: Option<PathBuf>,
}

impl<R: Row> Iterator for Sorted<R> {
    type Item = Result<R>;

    fn next(&mut self) -> Option<Result<R>> {
        match self.rows.next() {
            Some(row) => Some(Ok(row)),
            None => self.merge.next(),
        }
    }
}

impl<R: Ord> Drop for Sorted<R> {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            // What is left here goes with the barrier's folder when the segment is finished.
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// Sorted runs as one sorted sequence.
struct Merge<R: Ord> {
    runs: Vec<Rows<R>>,
    heads: BinaryHeap<Reverse<(R, usize)>>,
}

impl<R: Ord> Default for Merge<R> {
    fn default() -> Merge<R> {
        Merge { runs: Vec::new(), heads: BinaryHeap::new() }
    }
}

impl<R: Row> Merge<R> {
    fn open(paths: &[PathBuf]) -> Result<Merge<R>> {
        let mut merge = Merge::default();
        for path in paths {
            let mut rows = Rows::open(path)?;
            if let Some(row) = rows.next().transpose()? {
                merge.heads.push(Reverse((row, merge.runs.len())));
            }
            merge.runs.push(rows);
        }
        Ok(merge)
    }
}

impl<R: Row> Iterator for Merge<R> {
    type Item = Result<R>;

    fn next(&mut self) -> Option<Result<R>> {
        let mut head = self.heads.peek_mut()?;
        let run = head.0.1;
        match self.runs[run].next() {
            Some(Ok(row)) => Some(Ok(std::mem::replace(&mut head.0.0, row))),
            Some(Err(error)) => Some(Err(error)),
            None => Some(Ok(std::collections::binary_heap::PeekMut::pop(head).0.0)),
        }
    }
}

/// The rows of a file, one after the other.
pub(super) struct Rows<R> {
    path: PathBuf,
    file: File,
    bytes: Vec<u8>,
    at: usize,
    row: PhantomData<R>,
}

impl<R: Packed> Rows<R> {
    pub(super) fn open(path: &Path) -> Result<Rows<R>> {
        let file = File::open(path).map_err(|e| DataError::io("open", path, e))?;
        Ok(Rows { path: path.to_path_buf(), file, bytes: Vec::new(), at: 0, row: PhantomData })
    }

    fn read(&mut self) -> Result<Option<R>> {
        loop {
            let mut from = &self.bytes[self.at..];
            if let Some(row) = R::unpack(&mut from) {
                self.at = self.bytes.len() - from.len();
                return Ok(Some(row));
            }
            self.bytes.drain(..self.at);
            self.at = 0;
            // A row that is larger than the buffer doubles it.
            let more = BUFFER.max(self.bytes.len()) as u64;
            let read = (&self.file).take(more).read_to_end(&mut self.bytes);
            if read.map_err(|e| DataError::io("read", &self.path, e))? == 0 {
                let whole = self.bytes.is_empty();
                return if whole { Ok(None) } else { Err(DataError::artifact(&self.path, "ends in a row")) };
            }
        }
    }
}

impl<R: Packed> Iterator for Rows<R> {
    type Item = Result<R>;

    fn next(&mut self) -> Option<Result<R>> {
        self.read().transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_sorted_whether_they_were_spilled_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let ctx = Context::default();
        let rows: Vec<(u64, String)> = (0..20_000u64)
            .map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 977, format!("row {n}")))
            .collect();
        let mut expected = rows.clone();
        expected.sort();
        // In memory, a few runs, more runs than are merged at once.
        for (k, limit) in [1 << 30, 200_000, 2_000].into_iter().enumerate() {
            let own = folder.path().join(k.to_string());
            let mut sorter = Sorter::new(&ctx, own.clone(), limit);
            rows.iter().for_each(|row| sorter.push(row.clone()).unwrap());
            let spilled = sorter.made;
            assert_eq!(spilled == 0, k == 0);
            assert_eq!(spilled > FAN_IN, k == 2);
            let sorted: Vec<_> = sorter.sorted().unwrap().map(Result::unwrap).collect();
            assert_eq!(sorted, expected);
            assert!(!own.exists());
        }
    }
}
