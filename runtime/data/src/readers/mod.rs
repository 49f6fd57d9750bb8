//! Readers: files of several formats become documents, bad records become reports.

mod arc;
mod arrow;
mod batches;
mod code;
mod csv;
mod fields;
mod files;
mod hf;
mod http;
mod jsonl;
mod licenses;
mod measure;
mod parquet;
mod recorded;
mod rows;
pub mod shape;
mod stream;
mod text;
mod warc;

use std::{fmt::Debug, sync::Arc};

use llmp_stdlib::{Record as Arguments, Settings, Signature};

use crate::{
    document::Document,
    error::{At, DataError, Result},
};

pub use arrow::Arrow;
pub use code::Code;
pub use csv::Csv;
pub use files::{Roots, SourceFile, address, is_address};
pub use hf::{HfData, chosen};
pub use jsonl::Jsonl;
pub use measure::{Measured, measure};
pub use parquet::Parquet;
pub(crate) use recorded::answers;
pub use stream::{Decoded, FileFacts, MAX_RECORD, Tap};
pub use text::Text;
pub use warc::Warc;

llmp_stdlib::choices! {
    /// What a source does about a bad record.
    OnError = "on_error" {
        /// Counts it, reports it with its place and goes on.
        Count = "count",
        /// Ends the run with it.
        Stop = "stop",
    }
}

/// The signatures of all readers, sorted by name.
pub const SIGNATURES: &[&Signature] = &[
    Arrow::SIGNATURE,
    Code::SIGNATURE,
    Csv::SIGNATURE,
    HfData::SIGNATURE,
    Jsonl::SIGNATURE,
    Parquet::SIGNATURE,
    Text::SIGNATURE,
    Warc::SIGNATURE,
];

/// The reader called `name` with complete arguments (defaults filled in); `None`: no such reader.
///
/// Errors: arguments of the wrong form.
pub fn reader(name: &str, args: &Arguments) -> Result<Option<Arc<dyn Reader>>> {
    fn read<S: Settings + Reader + 'static>(args: &Arguments) -> Result<Option<Arc<dyn Reader>>> {
        let settings = S::read(args).map_err(|problems| DataError::Step {
            step: S::SIGNATURE.name,
            what: problems.into_iter().map(|p| p.message).collect::<Vec<_>>().join("; "),
        })?;
        Ok(Some(Arc::new(settings)))
    }
    match name {
        "arrow" => read::<Arrow>(args),
        "code" => read::<Code>(args),
        "csv" => read::<Csv>(args),
        "hf" => read::<HfData>(args),
        "jsonl" => read::<Jsonl>(args),
        "parquet" => read::<Parquet>(args),
        "text" => read::<Text>(args),
        "warc" => read::<Warc>(args),
        _ => Ok(None),
    }
}

/// What a reader cuts out of a file, before the costly part of reading.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Bytes that [`Reader::parse`] turns into a document, on any thread.
    Bytes(Vec<u8>),
    /// Already a document.
    Document(Document),
    /// A record that holds no document, and why.
    Skipped(&'static str),
    /// A record, or the rest of a file, that cannot be read, and why.
    Bad(String),
}

/// One record of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Number in the file, from 0; part of the document's id.
    pub index: u64,
    /// Place for reports.
    pub at: At,
    /// What was found there.
    pub body: Body,
}

/// The records of one file, in order.
pub type Records = Box<dyn Iterator<Item = Result<Record>> + Send>;

/// Reads files of one format. Settings are plain structs; a reader holds no state between files.
pub trait Reader: Send + Sync + Debug {
    /// The constructor's name in the language.
    fn name(&self) -> &'static str;

    /// The glob of files as written.
    fn glob(&self) -> &str;

    /// The files that it reads, sorted by label.
    ///
    /// Errors: a glob that cannot be read, or that no file matches.
    fn files(&self, roots: &Roots) -> Result<Vec<SourceFile>> {
        roots.files(self.glob())
    }

    /// What happens to a bad record.
    fn on_error(&self) -> OnError;

    /// Cuts a file into records. Errors of the operating system are errors; everything wrong with the content is a
    /// [`Body::Bad`] record.
    fn open(&self, file: &SourceFile, tap: Tap) -> Result<Records>;

    /// Makes a document of a record's bytes; gives `Skipped` or `Bad` where there is none. Never `Bytes`. A reader whose
    /// [`Reader::open`] gives no bytes has no need of it.
    fn parse(&self, _file: &SourceFile, _index: u64, _bytes: Vec<u8>) -> Body {
        Body::Bad(format!("{} has no records of bytes", self.name()))
    }
}

/// The only record of a file.
fn only(body: Body) -> Records {
    Box::new(std::iter::once(Ok(Record { index: 0, at: At::File, body })))
}

/// The decompressed bytes of a file, or the bad record that it is. Errors: what the operating system refuses.
fn decoded(file: &SourceFile, tap: Tap) -> Result<Result<Decoded, Records>> {
    match Decoded::new(tap) {
        Ok(input) => Ok(Ok(input)),
        Err(e) if Decoded::is_fatal(&e) => Err(DataError::io("read", &file.path, e)),
        Err(e) => Ok(Err(only(Body::Bad(Decoded::explain(&e))))),
    }
}
