//! What editors ask of a program, as plain data: places are offsets of bytes, nothing knows a protocol.

pub mod index;
pub mod layout;
pub mod lines;

pub mod actions;
mod columns;
pub mod complete;
mod cursor;
mod facts;
pub mod goto;
pub mod hints;
pub mod hover;
pub mod nodes;
pub mod outline;
mod place;
pub mod rename;
pub mod signature;
pub mod tokens;
mod types;
mod walk;

#[cfg(test)]
mod tests;

use std::cell::OnceCell;

use llmp_grammar::{Diag, FileId, Span};
use llmp_stdlib::Registry;

use crate::load::{Loaded, Trees, Vfs, load_with};
use crate::program::{Item, Meaning, Program};
use crate::{Options, check};

pub use index::{Index, Mark, Sort, Symbol, What};
pub use place::Engine;

/// A program after checking, with what is known of its words.
pub struct Analysis {
    /// All files.
    pub loaded: Loaded,
    /// Evaluated items.
    pub program: Program,
    /// Everything that is wrong, by place.
    pub diags: Vec<Diag>,
    index: OnceCell<Index>,
}

impl Analysis {
    /// Loads and checks a program.
    pub fn new(vfs: &dyn Vfs, main: &str, registry: &Registry, trees: &mut Trees) -> Analysis {
        let (loaded, mut sink) = load_with(vfs, main, trees);
        let (program, said) = check(&loaded, registry, &Options::default());
        sink.extend(said);
        Analysis { loaded, program, diags: sink.into_sorted(), index: OnceCell::new() }
    }

    /// What every word is.
    pub fn word_index(&self, registry: &Registry) -> &Index {
        self.index.get_or_init(|| Index::new(&self.loaded, registry))
    }

    /// The file with a path; library files have theirs, `std/…`.
    pub fn file(&self, path: &str) -> Option<FileId> {
        self.loaded.units.iter().find(|unit| unit.path == path).map(|unit| unit.file)
    }

    /// The text of a file.
    pub fn text(&self, file: FileId) -> &str {
        self.loaded.sources.text(file)
    }

    /// The unit of a file.
    pub fn unit(&self, file: FileId) -> Option<usize> {
        self.loaded.units.iter().position(|unit| unit.file == file)
    }

    /// Evaluated items that a definition makes: one, or one for each value of an index.
    pub fn items(&self, symbol: &Symbol) -> impl Iterator<Item = &Item> {
        let at = symbol.at;
        self.program.items.values().filter(move |item| item.at == at)
    }

    /// What the checker knows of a place.
    pub fn meanings(&self, at: Span) -> impl Iterator<Item = &Meaning> {
        self.program.meanings.iter().filter(move |(span, _)| *span == at).map(|(_, meaning)| meaning)
    }
}
