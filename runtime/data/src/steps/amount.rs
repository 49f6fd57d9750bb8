//! Amounts of documents as arguments.

use llmp_stdlib::unit::Dim;
use llmp_stdlib::{Arg, Ty, Value};

/// A number of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Documents(pub u64);

impl Arg for Documents {
    const TY: Ty = Ty::Quantity(&[Dim::DOCS]);
    fn read(value: &Value) -> Result<Self, String> {
        u64::read(value).map(Documents)
    }
}
