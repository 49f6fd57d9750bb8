//! What a barrier decides with: all sketches, sorts that spill, marks, a new order, side reports.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{
    arrange,
    marks::{Marked, Marks},
    sketches,
};
use crate::{
    context::{Context, Whole},
    engine::{
        Segment,
        packed::{Packed, unpacked},
        sort::{Row, Sorter},
    },
    error::{DataError, Result},
    steps::{Barrier, Mark},
};

/// The place where a barrier decides.
pub struct Desk<'a> {
    step: &'static str,
    ctx: &'a Context<'a>,
    /// Folder of the barrier's files.
    folder: &'a Path,
    /// Folder of the parts, where reports go.
    out: &'a Path,
    memory: usize,
    documents: u64,
    sorts: usize,
    marks: Sorter<'a, Marked>,
    places: Option<Sorter<'a, (u64, u64)>>,
    reports: BTreeMap<&'static str, Whole<'a>>,
}

impl<'a> Desk<'a> {
    pub(super) fn new(
        barrier: &dyn Barrier,
        segment: &'a Segment,
        folder: &'a Path,
        documents: u64,
        ctx: &'a Context<'a>,
    ) -> Result<Desk<'a>> {
        // What an interrupted decision left.
        for entry in fs::read_dir(folder).map_err(|e| DataError::io("open", folder, e))? {
            let path = entry.map_err(|e| DataError::io("open", folder, e))?.path();
            if path.is_dir() {
                fs::remove_dir_all(&path).map_err(|e| DataError::io("remove", &path, e))?;
            }
        }
        let memory = segment.memory as usize;
        let sorter = |name: &str| folder.join(format!("sort-{name}"));
        Ok(Desk {
            step: barrier.name(),
            ctx,
            folder,
            out: &segment.out,
            memory,
            documents,
            sorts: 0,
            marks: Sorter::new(ctx, sorter("marks"), memory),
            places: barrier.orders().then(|| Sorter::new(ctx, sorter("places"), memory)),
            reports: BTreeMap::new(),
        })
    }

    /// How many documents there are; they are numbered from 0.
    pub fn documents(&self) -> u64 {
        self.documents
    }

    /// Bytes that one buffer of the decision may take: [`Segment::memory`].
    pub fn memory(&self) -> usize {
        self.memory
    }

    /// Calls `work` with the number and the sketch of every document, in order. May be called more than once.
    pub fn each(&self, mut work: impl FnMut(u64, &[u8]) -> Result<()>) -> Result<()> {
        sketches::each(self.folder, |number, sketch| {
            if number % 1024 == 0 {
                self.ctx.check()?;
            }
            work(number, sketch)
        })
    }

    /// As [`Desk::each`], where `work` marks, places and reports.
    pub fn each_marking(
        &mut self,
        mut work: impl FnMut(&mut Desk<'a>, u64, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let folder = self.folder;
        sketches::each(folder, |number, sketch| {
            if number % 1024 == 0 {
                self.ctx.check()?;
            }
            work(self, number, sketch)
        })
    }

    /// Takes a value off the front of a sketch.
    ///
    /// Errors: bytes that [`Barrier::sketch`] cannot have written.
    pub fn unpack<T: Packed>(&self, from: &mut &[u8]) -> Result<T> {
        unpacked(from, self.folder)
    }

    /// A sorter that spills above [`Desk::memory`]. It can be filled while sketches or another sorter are read.
    pub fn sorter<R: Row>(&mut self) -> Sorter<'a, R> {
        self.sorts += 1;
        Sorter::new(self.ctx, self.folder.join(format!("sort-{}", self.sorts)), self.memory)
    }

    /// A new file name among the barrier's files, for what does not fit the rest; it goes when the segment is finished.
    pub fn scratch(&mut self) -> PathBuf {
        self.sorts += 1;
        self.folder.join(format!("scratch-{}", self.sorts))
    }

    /// An error of this step.
    pub fn error(&self, what: impl Into<String>) -> DataError {
        DataError::Step { step: self.step, what: what.into() }
    }

    /// The stop flag and failpoints.
    pub fn context(&self) -> &'a Context<'a> {
        self.ctx
    }

    /// Marks a document, in any order; marks of one document are joined by [`Mark::and`].
    pub fn mark(&mut self, document: u64, mark: &Mark) -> Result<()> {
        let mut bytes = Vec::new();
        mark.pack(&mut bytes);
        self.marks.push((document, bytes))
    }

    /// Gives a document its place: documents are stored by rising `place`, equal ones in document order. Only for a
    /// barrier with [`Barrier::orders`], which places every document once (also one that it drops).
    pub fn place(&mut self, document: u64, place: u64) -> Result<()> {
        match &mut self.places {
            Some(places) => places.push((place, document)),
            None => Err(self.error("places documents without saying that it orders them")),
        }
    }

    /// Adds a line to the side report `<name>.jsonl`, which is stored beside the parts.
    pub fn report(&mut self, name: &'static str, line: &impl Serialize) -> Result<()> {
        let path = self.out.join(format!("{name}.jsonl"));
        let mut bytes = serde_json::to_vec(line).map_err(|e| DataError::artifact(&path, e))?;
        bytes.push(b'\n');
        let report = match self.reports.remove(name) {
            Some(report) => report,
            None => self.ctx.create(&path)?,
        };
        self.reports.entry(name).or_insert(report).write(&bytes)
    }

    /// Lets the barrier decide, and makes the decision durable: reports, order, and the marks as the last.
    pub(super) fn decide(mut self, barrier: &dyn Barrier) -> Result<()> {
        barrier.decide(&mut self)?;
        for report in std::mem::take(&mut self.reports).into_values() {
            report.finish()?;
        }
        if let Some(places) = self.places.take() {
            self.rank(places)?;
        }
        let mut file = self.ctx.create(&Marks::file(self.folder))?;
        let mut last: Option<(u64, Mark)> = None;
        for row in self.marks.sorted()? {
            let (document, mark) = row?;
            let mark: Mark = unpacked(&mut &mark[..], self.folder)?;
            last = match last {
                Some((before, joined)) if before == document => Some((document, joined.and(mark))),
                before => {
                    write(&mut file, before)?;
                    Some((document, mark))
                }
            };
        }
        write(&mut file, last)?;
        file.finish()
    }

    /// Writes the rank of every document, in document order.
    fn rank(&self, places: Sorter<'a, (u64, u64)>) -> Result<()> {
        let mut ranks: Sorter<'a, (u64, u64)> =
            Sorter::new(self.ctx, self.folder.join("sort-ranks"), self.memory);
        let mut placed = 0;
        for (rank, row) in (0..).zip(places.sorted()?) {
            ranks.push((row?.1, rank))?;
            placed += 1;
        }
        let mut file = self.ctx.create(&arrange::ranks(self.folder))?;
        for (number, row) in (0..).zip(ranks.sorted()?) {
            let (document, rank) = row?;
            if document != number {
                return Err(self.error(format!("document {number} has no place, or two")));
            }
            file.write(&rank.to_le_bytes())?;
        }
        if placed != self.documents {
            return Err(self.error(format!("placed {placed} of {} documents", self.documents)));
        }
        file.finish()
    }
}

/// Writes the joined mark of a document.
fn write(file: &mut Whole<'_>, marked: Option<(u64, Mark)>) -> Result<()> {
    let Some((document, mark)) = marked else { return Ok(()) };
    let (mut bytes, mut packed) = (Vec::new(), Vec::new());
    mark.pack(&mut packed);
    (document, packed).pack(&mut bytes);
    file.write(&bytes)
}
