//! Documents from files to training rows: readers, steps, deduplication, tokenizers, token shards, mixtures.
//!
//! The flow: a [`readers::Reader`] gives records, [`engine::run`] takes them through [`steps::Map`]s (and at most one
//! [`steps::Barrier`]) into a folder of parts, [`tokens`] turns such folders into token shards, and
//! [`mix::TokenStream`] draws training rows from several shards. Equal input and settings give equal bytes on any
//! number of threads, and after any number of interruptions.

pub mod classifier;
pub mod context;
pub mod document;
pub mod engine;
pub mod error;
pub mod fasttext;
pub mod functions;
pub mod kinds;
pub mod ledger;
pub mod mix;
pub mod ngram;
pub mod pack;
pub mod readers;
pub mod row;
pub mod steps;
pub mod templates;
pub mod tokens;
pub mod write;

pub use context::{Context, Progress};
pub use document::{Cell, Document, RawPage};
pub use error::{At, BadRecord, DataError, Result};
pub use row::{Message, Row};
