//! A barrier before its second pass: sketches of all documents, the decision over them, the new order if there is one.
//!
//! Everything lies in `.barrier` beside the parts until the segment is finished, each file written under a temporary
//! name and renamed; a killed run goes on after the last file that is there.

mod arrange;
mod desk;
mod marks;
mod sketches;

use std::{fs, path::Path};

pub use desk::Desk;

pub(super) use arrange::Arranged;
pub(super) use marks::Marks;

use super::{
    BarrierStage, Input, Segment,
    chunks::{Chunks, Position},
};
use crate::{
    context::Context,
    error::{DataError, Result},
};

const FOLDER: &str = ".barrier";

/// The documents of the second pass from a place on, with their marks; what comes before it is made if it is missing.
pub(super) fn second_pass(
    stage: &BarrierStage,
    segment: &Segment,
    at: Position,
    records: u64,
    ctx: &Context<'_>,
) -> Result<Chunks> {
    let barrier = &*stage.barrier;
    if !matches!(segment.input, Input::Stored(_)) {
        let what = "reads its documents twice, so they must be stored before it".to_string();
        return Err(DataError::Step { step: barrier.name(), what });
    }
    let folder = segment.out.join(FOLDER);
    fs::create_dir_all(&folder).map_err(|e| DataError::io("create", &folder, e))?;
    if !Marks::file(&folder).exists() {
        let documents = sketches::make(barrier, segment, &folder, ctx)?;
        Desk::new(barrier, segment, &folder, documents, ctx)?.decide(barrier)?;
    }
    sketches::remove(&folder)?;
    if barrier.orders() {
        arrange::arrange(segment, &folder, ctx)?;
        return Ok(Chunks::arranged(segment, &folder, at));
    }
    // Every record of a store is a document, so records number the marks.
    Ok(Chunks::new(segment, at)?.with_marks(Marks::open(&folder, records)?))
}

/// Removes what a finished segment no longer needs.
pub(super) fn remove(out: &Path) -> Result<()> {
    let folder = out.join(FOLDER);
    match fs::remove_dir_all(&folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(DataError::io("remove", &folder, e)),
        _ => Ok(()),
    }
}
