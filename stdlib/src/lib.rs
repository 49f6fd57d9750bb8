//! The vocabulary of llmp: the form in which built-ins state themselves, plain data that all crates share, and the library.
//!
//! This crate knows no tensor and no thread. Reading order: numbers and units, values, types, signatures,
//! the `def!` macro, kinds, the registry, the plan, events.

pub mod arg;
pub mod compare;
pub mod def;
pub mod docs;
pub mod estimate;
pub mod event;
pub mod family;
pub mod formula;
pub mod hardware;
pub mod hub;
pub mod kind;
pub mod library;
pub mod literal;
pub mod lock;
pub mod number;
pub mod plan;
pub mod problem;
pub mod registry;
pub mod schema;
pub mod signature;
pub mod source;
pub mod ty;
pub mod unit;
pub mod value;

pub use arg::Arg;
pub use estimate::Estimate;
pub use event::Event;
pub use formula::{Formula, Operator};
pub use kind::{Form, Kind, Output, Part, Planner, Program, View, Yields};
pub use lock::{Lock, Locked};
pub use number::Rational;
pub use plan::{Guard, ModelCost, Plan, Port, StageCost, Step, StepId};
pub use problem::{Problem, Replacement, Severity};
pub use registry::Registry;
pub use signature::{Column, Flow, Param, Settings, Signature, State};
pub use ty::{Choices, Family, Ty};
pub use unit::{Dim, Quantity};
pub use value::{Call, ItemRef, Record, Value};

/// The nearest of several names to a misspelt one.
pub use llmp_grammar::nearest;
