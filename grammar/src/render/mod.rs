//! Diagnostics as text: for terminals, one line each, and as JSON. All of them read [`Diag`](crate::Diag) alone.

mod json;
mod short;
mod terminal;

pub use json::{json, json_value};
pub use short::short;
pub use terminal::terminal;
