//! Tests of the crate on real data, in one binary.

mod bad_data;
mod common;
mod engine;
mod tokens;
