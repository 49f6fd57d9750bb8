//! The meaning of a program: names, types, values and plan. Pure: no files but through [`Vfs`], no clock, no environment.
//!
//! The flow is `load` (text to trees, imports followed), `check` (trees to a [`Program`] of evaluated items) and
//! `plan` (items to steps). Each returns its result and a sink of diagnostics, and never stops at the first problem.

mod load;

mod resolve;

mod program;

mod check;

pub mod lineage;

mod lints;

mod plan;

pub mod ide;

pub mod codes;

#[cfg(test)]
mod test_registry;
#[cfg(test)]
mod tests;

pub use check::{Options, check, registry_problems};
pub use load::{Loaded, Trees, Unit, Vfs, load, load_with};
pub use plan::{
    Change, Class, Diff, Edge, External, Graph, ItemChange, Node, OnHardware, StageEstimate, StepChange,
    UnknownItem, comparisons_text, diff, estimates, estimates_json, estimates_text, externals, frozen, graph,
    plan, plan_items,
};
pub use program::{Guard, Insert, Item, Layer, Meaning, Note, Origin, Place, Places, Program, Row};
