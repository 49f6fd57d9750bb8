//! The text of the language: what may be written, where it is, how it looks. Knows no kind, no step and no type.

pub mod span;

pub mod source;

pub mod diag;

pub mod ast;

pub use diag::{Diag, Edit, Fix, Info, Label, Places, Severity, Sink, nearest};
pub use source::{Position, Sources};
pub use span::{FileId, Span, Spanned};
