//! The text of the language: what may be written, where it is, how it looks. Knows no kind, no step and no type.

pub mod span;

pub mod source;

pub mod diag;

pub mod kind;

pub mod scan;

pub mod split;

mod attempt;

mod limits;

mod tree;

mod parse;

mod mistakes;

pub mod ast;

mod lower;

pub mod codes;

pub mod render;

mod fmt;

pub use diag::{Diag, Edit, Fix, Info, Label, Places, Severity, Sink, nearest};
pub use fmt::format;
pub use parse::{Chunks, Parse, parse, parse_expr, parse_with};
pub use source::{Position, Sources};
pub use span::{FileId, Span, Spanned};
