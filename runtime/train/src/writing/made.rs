//! The records of a step in which a model writes, out of its journals: in the order of the input, whatever was finished first.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use llmp_data::document::Cell;
use llmp_data::readers::{Body, OnError, Reader, Record, Records, SourceFile, Tap};
use llmp_data::steps::{Map, Outcome, Reason};
use llmp_data::{At, DataError, Document};

use super::Writer;
use super::journal::{Entry, Journal};

/// The column of a record that leaves: its reason.
const LOST: &str = "~lost";

/// Makes the records of a step: to the engine they come from a reader.
#[derive(Debug)]
pub struct Made {
    /// The step.
    pub writer: Arc<dyn Writer>,
    /// Names of the models, one a pass.
    pub by: Vec<String>,
    /// Folder of the step's input.
    pub documents: PathBuf,
    /// The journals of its passes.
    pub journals: Vec<PathBuf>,
}

impl Made {
    /// The records that one record of the input becomes; what leaves is marked for [`Lost`].
    fn records(
        &self,
        number: u64,
        doc: &Document,
        journals: &mut [Journal],
    ) -> llmp_data::Result<Vec<Document>> {
        let wrong = |what: String| DataError::Step { step: self.writer.name(), what };
        let mut said = Vec::new();
        for journal in journals {
            match journal.get(number).map_err(|e| wrong(e.to_string()))? {
                Some(Entry::Said(passed)) => said.push(passed),
                Some(Entry::Lost(reason)) => return Ok(vec![lost(doc, reason.into())]),
                None => return Err(wrong(format!("the journal lacks record {number}"))),
            }
        }
        let made = self.writer.made(doc, &said, &self.by).into_iter();
        Ok(made.map(|made| made.unwrap_or_else(|reason| lost(doc, reason))).collect())
    }
}

fn lost(doc: &Document, reason: Reason) -> Document {
    let mut doc = doc.clone();
    let by = reason.by.as_ref().map(|by| format!("\n{by}")).unwrap_or_default();
    doc.columns.insert(LOST.into(), Cell::Text(format!("{}{by}", reason.name)));
    doc
}

impl Reader for Made {
    fn name(&self) -> &'static str {
        "stored"
    }

    fn glob(&self) -> &str {
        ""
    }

    fn on_error(&self) -> OnError {
        OnError::Stop
    }

    fn open(&self, _: &SourceFile, _: Tap) -> llmp_data::Result<Records> {
        let wrong = |what: String| DataError::Step { step: self.writer.name(), what };
        let journals = self.journals.iter().map(|path| Journal::open(path).map_err(|e| wrong(e.to_string())));
        let mut journals = journals.collect::<llmp_data::Result<Vec<_>>>()?;
        let mut records = (0..).zip(llmp_data::engine::documents(&self.documents)?);
        let own = Made {
            writer: self.writer.clone(),
            by: self.by.clone(),
            documents: PathBuf::new(),
            journals: Vec::new(),
        };
        let (mut ready, mut index) = (VecDeque::new(), 0);
        Ok(Box::new(std::iter::from_fn(move || {
            while ready.is_empty() {
                let (number, doc) = records.next()?;
                match doc.and_then(|doc| own.records(number, &doc, &mut journals)) {
                    Ok(made) => ready.extend(made),
                    Err(error) => return Some(Err(error)),
                }
            }
            let body = Body::Document(ready.pop_front()?);
            index += 1;
            Some(Ok(Record { index: index - 1, at: At::Record(index), body }))
        })))
    }
}

/// Takes out what [`Made`] marked.
#[derive(Debug)]
pub struct Lost(pub &'static str);

impl Map for Lost {
    fn name(&self) -> &'static str {
        self.0
    }

    fn apply(&self, doc: &mut Document) -> Outcome {
        let Some(Cell::Text(reason)) = doc.columns.remove(LOST) else { return Outcome::Keep };
        match reason.split_once('\n') {
            Some((name, by)) => Outcome::Drop(Reason::words(name.to_owned(), by)),
            None => Outcome::Drop(reason.into()),
        }
    }
}
