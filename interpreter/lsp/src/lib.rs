//! The language server: the only crate that knows the protocol. What is said comes from `llmp_interpreter::ide`.
//!
//! Messages are taken in order, each edit at once; what the client asks is answered from the text as it then is.
//! Everything is fast enough to need no thread of its own. Files are reached through a [`Desk`].

mod wire;

mod documents;

mod world;

mod imports;

mod diagnostics;

mod requests;

mod server;

pub use documents::Change;
pub use server::{Settings, serve};
pub use wire::uri_of;
pub use world::Desk;
