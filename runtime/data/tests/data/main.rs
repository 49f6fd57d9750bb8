//! Tests of the crate on real data, in one binary.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bad_data;
mod common;
mod contamination;
mod dedup;
mod engine;
mod ledger;
mod minhash;
mod packing;
mod readers;
mod rows;
mod select;
mod tokens;
