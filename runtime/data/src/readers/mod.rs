//! Readers: files of several formats become documents, bad records become reports.

mod files;
mod stream;

use std::fmt::Debug;

use serde::{Deserialize, Serialize};

use crate::{
    document::Document,
    error::{At, Result},
};

pub use files::{Roots, SourceFile};
pub use stream::{Decoded, FileFacts, Tap};

/// What a source does about a bad record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// Counts it, reports it with its place and goes on.
    #[default]
    Count,
    /// Ends the run with it.
    Stop,
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

    /// What happens to a bad record.
    fn on_error(&self) -> OnError;

    /// Cuts a file into records. Errors of the operating system are errors; everything wrong with the content is a
    /// [`Body::Bad`] record.
    fn open(&self, file: &SourceFile, tap: Tap) -> Result<Records>;

    /// Makes a document of a record's bytes; gives `Skipped` or `Bad` where there is none. Never `Bytes`.
    fn parse(&self, file: &SourceFile, index: u64, bytes: Vec<u8>) -> Body;
}
