//! Marks on disk: the marked documents in order, read along with the documents.

use std::path::{Path, PathBuf};

use crate::{
    engine::{packed::unpacked, sort::Rows},
    error::Result,
    steps::Mark,
};

/// The number of a document and its packed marks, one after the other.
pub(super) type Marked = (u64, Vec<u8>);

/// The marks from a document on.
pub(in crate::engine) struct Marks {
    path: PathBuf,
    rows: Rows<Marked>,
    ahead: Option<Marked>,
    /// Number of the document that comes next.
    next: u64,
}

impl Marks {
    pub(super) fn file(folder: &Path) -> PathBuf {
        folder.join("marks")
    }

    /// The marks from document number `next` on.
    pub(super) fn open(folder: &Path, next: u64) -> Result<Marks> {
        let path = Marks::file(folder);
        let mut rows = Rows::open(&path)?;
        let mut ahead: Option<Marked> = rows.next().transpose()?;
        while ahead.as_ref().is_some_and(|row| row.0 < next) {
            ahead = rows.next().transpose()?;
        }
        Ok(Marks { path, rows, ahead, next })
    }

    /// The packed mark of the next document.
    pub(super) fn packed(&mut self) -> Result<Option<Vec<u8>>> {
        let number = self.next;
        self.next += 1;
        match self.ahead.take_if(|row| row.0 == number) {
            None => Ok(None),
            Some((_, mark)) => {
                self.ahead = self.rows.next().transpose()?;
                Ok(Some(mark))
            }
        }
    }

    /// The mark of the next document.
    pub(in crate::engine) fn mark(&mut self) -> Result<Option<Mark>> {
        self.packed()?.map(|mark| unpacked(&mut &mark[..], &self.path)).transpose()
    }
}
