//! Runs a plan: the registry of all built-ins, the store, tasks, operations, events.
//!
//! Reading order: registry, task, resolve, store, operations, run.
#![allow(clippy::disallowed_methods, reason = "the clock belongs to cli and exec")]

#[cfg(feature = "kernels")]
pub mod bench;
pub mod codes;
mod device;
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
#[cfg(feature = "object-stores")]
mod objects;
mod operations;
pub mod place;
mod registry;
pub mod report;
pub mod resolve;
mod run;
pub mod store;
pub mod task;
pub mod trace;

pub use device::Device;
pub use failure::Failure;
pub use llmp_data::readers::Roots;
#[cfg(feature = "kernels")]
pub use models::{Ended, Sampling, Score, Session, generate, open_chat, score};
pub use registry::registry;
pub use resolve::Finished;
pub use run::{Options, State, Status, peek, run, status};
pub use store::{BadRecords, Content, Manifest, durable};

/// Fetches the objects of stores that a plan names (`s3://bucket/key`), where this is built with `object-stores`; without
/// it nothing is fetched, and an object that is not here is reported when it is read.
///
/// Errors: a store that cannot be reached or refuses, as LLMP1002 at its step.
#[cfg_attr(not(feature = "object-stores"), expect(unused_variables, reason = "nothing is fetched"))]
pub fn fetch(
    plan: &llmp_stdlib::Plan,
    registry: &llmp_stdlib::Registry,
    options: &Options<'_>,
    emit: &(dyn Fn(llmp_stdlib::Event) + Sync),
) -> Result<(), Failure> {
    #[cfg(feature = "object-stores")]
    objects::fetch(plan, registry, options, emit)?;
    Ok(())
}

/// Every code of the language and its runtime, in order.
pub fn codes() -> Vec<&'static llmp_grammar::Info> {
    let mut all: Vec<_> = llmp_interpreter::codes::all();
    all.extend_from_slice(codes::ALL);
    all.sort_by_key(|info| info.code);
    all
}
