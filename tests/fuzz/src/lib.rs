//! Programs, random edits and large generated files for the tests that look for what nobody thought of.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
#![allow(clippy::disallowed_methods, reason = "tests measure time and read the folder of the repository")]

pub mod blind;
pub mod columnar;
pub mod corpus;
pub mod editor;
pub mod edits;
pub mod files;
pub mod judge;
pub mod large;
pub mod random;
pub mod session;
pub mod slips;
pub mod targets;
pub mod verdicts;
