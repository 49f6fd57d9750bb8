//! What the tests of steps share: a step by its name and the arguments that differ from its defaults.

use std::sync::Arc;

use llmp_stdlib::{Record, literal};

use super::{Map, Outcome};
use crate::{document::Document, readers::Roots};

/// The arguments of a step: its defaults, and those that are given as literals of the language.
pub(crate) fn args(name: &str, given: &[(&str, &str)]) -> Record {
    let entry = super::ALL.iter().find(|entry| entry.signature.name == name).unwrap();
    let defaults = entry.signature.params.iter().filter_map(|p| Some((p.name, p.default?)));
    let read = |(name, text): (&str, &str)| (name.to_string(), literal::parse(text).unwrap());
    defaults.chain(given.iter().copied()).map(read).collect()
}

/// A map with files under `folder`.
pub(crate) fn map_in(folder: &std::path::Path, name: &str, given: &[(&str, &str)]) -> Arc<dyn Map> {
    super::map(name, &args(name, given), &Roots::project(folder)).unwrap().unwrap()
}

/// A map that reads no files.
pub(crate) fn map(name: &str, given: &[(&str, &str)]) -> Arc<dyn Map> {
    map_in(std::path::Path::new("nowhere"), name, given)
}

/// The reason of a drop, `""` for a document that is kept.
pub(crate) fn reason(name: &str, given: &[(&str, &str)], text: &str) -> String {
    match map(name, given).apply(&mut Document::new("a", text)) {
        Outcome::Keep => String::new(),
        Outcome::Drop(reason) => reason.into_owned(),
    }
}
