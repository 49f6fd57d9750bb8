//! Amounts of documents, as the planned steps name them.

pub(super) use crate::steps::amount::Documents;
