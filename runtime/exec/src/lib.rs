//! Runs a plan: the registry of all built-ins, the store, tasks, operations, events.
//!
//! Reading order: registry, task, resolve, store, operations, run.

pub mod codes;
mod failure;
mod numerics;
mod operations;
mod registry;
mod resolve;
mod run;
mod store;
mod task;

pub use failure::Failure;
pub use registry::registry;
pub use resolve::Finished;
pub use run::{Options, State, Status, run, status};
pub use store::{BadRecords, Content, Manifest, durable};

/// Every code of the language and its runtime, in order.
pub fn codes() -> Vec<&'static llmp_grammar::Info> {
    let mut all: Vec<_> = llmp_interpreter::codes::all();
    all.extend_from_slice(codes::ALL);
    all.sort_by_key(|info| info.code);
    all
}
