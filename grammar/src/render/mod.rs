//! Diagnostics as text: for terminals, one line each, and in the forms of machines. All of them read [`Diag`](crate::Diag) alone.

mod github;
mod json;
mod junit;
mod report;
mod sarif;
mod short;
mod terminal;

pub use github::github;
pub use json::{json, json_value};
pub use junit::junit;
pub use report::Report;
pub use sarif::sarif;
pub use short::short;
pub use terminal::terminal;
