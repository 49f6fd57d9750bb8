//! The first pass of a barrier: sketches of all documents, kept in files until the segment is finished.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rayon::prelude::*;

use super::{
    Input, Segment,
    chunks::{Item, Position},
    run::each_chunk,
};
use crate::{
    context::Context,
    document::Document,
    error::{DataError, Result},
    steps::{Barrier, Mark},
};

/// Numbers before the words of a sketch file: where the next chunk begins, and whether there is one.
const HEAD: usize = 3;

/// One mark per stored document, in order. A killed pass goes on after its last file.
pub(super) fn marks(barrier: &dyn Barrier, segment: &Segment, ctx: &Context<'_>) -> Result<Vec<Mark>> {
    if !matches!(segment.input, Input::Stored(_)) {
        let what = "reads its documents twice, so they must be stored before it".to_string();
        return Err(DataError::Step { step: barrier.name(), what });
    }
    let mut words = Vec::new();
    let mut next = Position::default();
    let mut done = false;
    let mut number = 0;
    while let Ok(bytes) = fs::read(file(&segment.out, number)) {
        let numbers: Vec<u64> = bytes
            .chunks_exact(8)
            .map(|b| b.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
            .collect();
        let [at, record, last, rest @ ..] = &numbers[..] else { break };
        next = Position { file: *at as usize, record: *record };
        done = *last == 1;
        words.extend_from_slice(rest);
        number += 1;
    }
    if !done {
        each_chunk(segment, next, |chunk| {
            let sketch = |item: &Item| {
                ctx.check()?;
                let Item::Stored { path, line } = item else { return Ok(Vec::new()) };
                let doc: Document = serde_json::from_slice(line).map_err(|e| DataError::artifact(path, e))?;
                Ok(barrier.sketch(&doc))
            };
            let sketches: Vec<Vec<u64>> = chunk.items.par_iter().map(sketch).collect::<Result<_>>()?;
            let head: [u64; HEAD] = [chunk.after.file as u64, chunk.after.record, u64::from(chunk.done)];
            let own = sketches.concat();
            let bytes: Vec<u8> = head.iter().chain(&own).flat_map(|word| word.to_le_bytes()).collect();
            ctx.write_whole(&file(&segment.out, number), &bytes)?;
            number += 1;
            words.extend(own);
            Ok(())
        })?;
    }
    Ok(barrier.decide(&words))
}

/// Removes the sketch files of a finished segment.
pub(super) fn remove(folder: &Path) -> Result<()> {
    let there = (0..).take_while(|&number| file(folder, number).exists()).count();
    // From the last to the first, so that a removal that was cut short can be finished.
    (0..there)
        .rev()
        .map(|number| file(folder, number))
        .try_for_each(|path| fs::remove_file(&path).map_err(|e| DataError::io("remove", &path, e)))
}

fn file(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!(".sketch-{number:05}"))
}
