//! Records of a source as a stage reads them: many at a time on all cores, in their order.

use llmp_data::document::Document;
use rayon::prelude::*;

use crate::error::{Result, TrainError};
use crate::host::Host;

/// Records that are read at a time.
const TOGETHER: usize = 1024;

/// Makes something of every document of a folder, and takes what was made in their order. What is said of a template names the
/// record.
///
/// Errors: those of `make`; a document that cannot be read; the stop flag.
pub(crate) fn each<T: Send>(
    documents: impl Iterator<Item = llmp_data::Result<Document>>,
    host: &Host<'_>,
    make: impl Fn(&Document) -> Result<T> + Sync,
    mut take: impl FnMut(T),
) -> Result<()> {
    let mut documents = documents;
    loop {
        let window = documents.by_ref().take(TOGETHER).collect::<Result<Vec<Document>, _>>()?;
        if window.is_empty() {
            return Ok(());
        }
        if host.stopped() {
            return Err(TrainError::Stopped);
        }
        let one = |doc: &Document| {
            make(doc).map_err(|error| match error {
                TrainError::Template(words) => TrainError::Template(format!("{}: {words}", doc.id)),
                other => other,
            })
        };
        window.par_iter().map(one).collect::<Result<Vec<T>>>()?.into_iter().for_each(&mut take);
    }
}
