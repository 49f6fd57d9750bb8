//! The first pass of a barrier: one file of sketches per chunk.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rayon::prelude::*;

use crate::{
    context::Context,
    document::Document,
    engine::{
        Segment,
        chunks::{Chunks, Item, Position},
        packed::{Packed, unpacked},
        run::{all_or_first, each_chunk},
    },
    error::{DataError, Result},
    steps::Barrier,
};

/// What stands before the sketches of a file: where the next chunk begins, whether there is one, documents so far.
type Head = (u64, u64, bool, u64);

/// Makes what is missing and gives the number of documents.
pub(super) fn make(
    barrier: &dyn Barrier,
    segment: &Segment,
    folder: &Path,
    ctx: &Context<'_>,
) -> Result<u64> {
    let there = files(folder).count();
    let (mut next, mut done, mut documents) = (Position::default(), false, 0);
    if there > 0 {
        let path = file(folder, there - 1);
        let bytes = fs::read(&path).map_err(|e| DataError::io("read", &path, e))?;
        let head: Head = unpacked(&mut &bytes[..], &path)?;
        (next, done, documents) = (Position { input: head.0 as usize, record: head.1 }, head.2, head.3);
    }
    if done {
        return Ok(documents);
    }
    let mut number = there;
    each_chunk(Chunks::new(segment, next)?, |chunk| {
        let sketch = |item: &Item| {
            ctx.check()?;
            let mut sketch = Vec::new();
            if let Item::Stored { path, line, .. } = item {
                let doc: Document = serde_json::from_slice(line).map_err(|e| DataError::artifact(path, e))?;
                barrier.sketch(&doc, &mut sketch);
            }
            Ok(sketch)
        };
        let sketches: Vec<Vec<u8>> = all_or_first(chunk.items.par_iter().map(sketch))?;
        documents += sketches.len() as u64;
        let mut bytes = Vec::with_capacity(32 + sketches.iter().map(|s| s.len() + 4).sum::<usize>());
        (chunk.after.input as u64, chunk.after.record, chunk.done, documents).pack(&mut bytes);
        sketches.iter().for_each(|sketch| sketch.pack(&mut bytes));
        ctx.write_whole(&file(folder, number), &bytes)?;
        number += 1;
        Ok(())
    })?;
    Ok(documents)
}

/// Calls `work` with the number and the sketch of every document, in order.
pub(super) fn each(folder: &Path, mut work: impl FnMut(u64, &[u8]) -> Result<()>) -> Result<()> {
    let mut number = 0;
    for path in files(folder) {
        let bytes = fs::read(&path).map_err(|e| DataError::io("read", &path, e))?;
        let mut from = &bytes[..];
        let _: Head = unpacked(&mut from, &path)?;
        while !from.is_empty() {
            let size: u32 = unpacked(&mut from, &path)?;
            let cut = from.split_at_checked(size as usize);
            let (sketch, rest) = cut.ok_or_else(|| DataError::artifact(&path, "ends in a sketch"))?;
            work(number, sketch)?;
            from = rest;
            number += 1;
        }
    }
    Ok(())
}

/// Removes all sketches, from the last to the first, so that a removal that was cut short can be finished.
pub(super) fn remove(folder: &Path) -> Result<()> {
    let there: Vec<PathBuf> = files(folder).collect();
    let mut all = there.iter().rev();
    all.try_for_each(|path| fs::remove_file(path).map_err(|e| DataError::io("remove", path, e)))
}

fn files(folder: &Path) -> impl Iterator<Item = PathBuf> + use<'_> {
    (0..).map(|number| file(folder, number)).take_while(|path| path.exists())
}

fn file(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("sketch-{number:05}"))
}
