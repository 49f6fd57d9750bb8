//! Runs a plan: the registry of all built-ins, the store, tasks, operations, events.
//!
//! Reading order: registry, task, resolve, store, operations, run.
#![allow(clippy::disallowed_methods, reason = "the clock belongs to cli and exec")]

pub mod codes;
pub mod difference;
mod failure;
pub mod found;
mod guards;
pub mod hub;
pub mod inputs;
pub mod ledger;
#[cfg(feature = "kernels")]
mod models;
pub mod numerics;
mod operations;
pub mod place;
mod registry;
pub mod report;
pub mod resolve;
mod run;
pub mod store;
pub mod task;
pub mod trace;

pub use failure::Failure;
pub use llmp_data::readers::Roots;
#[cfg(feature = "kernels")]
pub use models::{Sampling, Score, generate, score};
pub use registry::registry;
pub use resolve::Finished;
pub use run::{Options, State, Status, peek, run, status};
pub use store::{BadRecords, Content, Manifest, durable};

/// Every code of the language and its runtime, in order.
pub fn codes() -> Vec<&'static llmp_grammar::Info> {
    let mut all: Vec<_> = llmp_interpreter::codes::all();
    all.extend_from_slice(codes::ALL);
    all.sort_by_key(|info| info.code);
    all
}
