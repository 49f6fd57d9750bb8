//! Names changed everywhere at once, and refused where the result would say something else.

use std::collections::BTreeMap;

use llmp_grammar::scan::RESERVED;
use llmp_grammar::{FileId, Span};
use llmp_stdlib::Registry;

use super::columns::{Home, name_of};
use super::index::{Index, Sort, What};
use super::{Analysis, Engine};
use crate::load::Vfs;

/// A change of a file, by path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileEdit {
    /// The file.
    pub path: String,
    /// The place.
    pub at: Span,
    /// What stands there afterwards.
    pub text: String,
}

impl Analysis {
    /// The word at an offset, if it can be renamed. Errors: why it cannot, in words.
    pub fn can_rename(
        &self,
        registry: &Registry,
        file: FileId,
        offset: u32,
    ) -> Result<(Span, String), String> {
        let index = self.word_index(registry);
        let Some(mark) = index.at(file, offset) else { return Err("there is no name here".into()) };
        if let What::Column(name) = &mark.what {
            return match self.column_home(registry, mark.span, name) {
                Some(home) if !self.in_library(index, home) => Ok((name_of(mark.span, name), name.clone())),
                Some(_) => Err(format!("`.{name}` belongs to the library")),
                None => Err(format!("`.{name}` has its name from the data or from a built-in")),
            };
        }
        let Some(id) = self.symbol_at(registry, file, offset) else {
            return Err("this is a word of the language or a built-in".into());
        };
        let symbol = &index.symbols[id];
        if self.loaded.units[symbol.unit].library {
            return Err(format!("`{}` belongs to the library", symbol.name));
        }
        if self.loaded.sources.slice(mark.span) != symbol.name {
            return Err(format!("this stands for `{}`", symbol.name));
        }
        Ok((mark.span, symbol.name.clone()))
    }

    /// Uses of the definition whose name stands at a place of a file, by path: each with whether it is the definition.
    pub fn uses_of(&self, registry: &Registry, path: &str, range: std::ops::Range<u32>) -> Vec<(Span, bool)> {
        let Some(file) = self.file(path) else { return Vec::new() };
        let index = self.word_index(registry);
        let at = Span { file, start: range.start, end: range.end };
        let Some(id) = index.declared(at) else {
            let columns = self.columns_of(registry, Home::Text(at), self.loaded.sources.slice(at));
            let columns = columns.into_iter().map(|span| (span, false));
            return std::iter::once((at, true)).chain(columns).collect();
        };
        let columns = self.columns_of(registry, Home::Symbol(id), &index.symbols[id].name);
        index.occurrences(id).chain(columns.into_iter().map(|span| (span, false))).collect()
    }

    fn in_library(&self, index: &Index, home: Home) -> bool {
        match home {
            Home::Symbol(id) => self.loaded.units[index.symbols[id].unit].library,
            Home::Text(at) => self.loaded.units.iter().any(|unit| unit.file == at.file && unit.library),
        }
    }

    /// Where the definition at an offset is: path and range of its name.
    pub fn identity(
        &self,
        registry: &Registry,
        file: FileId,
        offset: u32,
    ) -> Option<(String, std::ops::Range<u32>)> {
        let index = self.word_index(registry);
        let mark = index.at(file, offset)?;
        let id = match &mark.what {
            What::Symbol { id, .. } => *id,
            What::Column(name) => match self.column_home(registry, mark.span, name)? {
                Home::Symbol(id) => id,
                Home::Text(at) => {
                    return Some((self.loaded.sources.path(at.file).to_owned(), at.start..at.end));
                }
            },
            _ => return None,
        };
        let symbol = &index.symbols[id];
        Some((self.loaded.units[symbol.unit].path.clone(), symbol.at.start..symbol.at.end))
    }
}

/// Edits that rename a definition in all programs that know it. Errors: why it cannot be, in words.
pub fn rename(
    programs: &[&Analysis],
    engine: &mut Engine<'_>,
    path: &str,
    range: std::ops::Range<u32>,
    new: &str,
) -> Result<Vec<FileEdit>, String> {
    let word = new.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let starts = new.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if !word || !starts {
        return Err(format!("`{new}` is not a name: letters, digits and `_`"));
    }
    if RESERVED.contains(&new) {
        return Err(format!("`{new}` is a word of the language"));
    }
    let mut edits: Vec<FileEdit> = Vec::new();
    for program in programs {
        let index = program.word_index(engine.registry);
        free(program, index, path, &range, new)?;
        for (at, _) in program.uses_of(engine.registry, path, range.clone()) {
            let path = program.loaded.sources.path(at.file).to_owned();
            edits.push(FileEdit { path, at, text: new.to_owned() });
        }
    }
    edits.sort_by(|a, b| (&a.path, a.at.start).cmp(&(&b.path, b.at.start)));
    edits.dedup_by(|a, b| a.path == b.path && a.at.start == b.at.start);
    same(programs, engine, path, &range, new, &edits)?;
    Ok(edits)
}

/// Whether a name is free wherever the definition is known.
fn free(
    program: &Analysis,
    index: &Index,
    path: &str,
    range: &std::ops::Range<u32>,
    new: &str,
) -> Result<(), String> {
    let Some(file) = program.file(path) else { return Ok(()) };
    let at = Span { file, start: range.start, end: range.end };
    let Some(id) = index.declared(at) else { return Ok(()) };
    let symbol = &index.symbols[id];
    let scopes = index.scopes.iter().chain(index.inner.values());
    for scope in scopes {
        let knows = scope.values().any(|known| *known == id);
        if knows && let Some(other) = scope.get(new).filter(|other| **other != id) {
            let place = index.symbols[*other].at;
            let position = program.loaded.sources.position(place.file, place.start);
            let path = program.loaded.sources.path(place.file);
            return Err(format!("`{new}` is taken: {path}:{}:{}", position.line, position.column));
        }
    }
    let local = matches!(symbol.sort, Sort::Local | Sort::Parameter | Sort::Index);
    if local && index.scopes[symbol.unit].contains_key(new) {
        return Err(format!("`{new}` would hide the definition of that name"));
    }
    Ok(())
}

/// The programs after the edits: no new mistake, and every use still means the same.
fn same(
    programs: &[&Analysis],
    engine: &mut Engine<'_>,
    path: &str,
    range: &std::ops::Range<u32>,
    new: &str,
    edits: &[FileEdit],
) -> Result<(), String> {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for edit in edits.iter().rev() {
        let text = texts.entry(edit.path.clone()).or_insert_with(|| {
            let known = programs.iter().find_map(|p| p.file(&edit.path).map(|f| p.text(f).to_owned()));
            known.unwrap_or_default()
        });
        text.replace_range(edit.at.range(), &edit.text);
    }
    let before = |e: &&FileEdit| e.path == path && e.at.start < range.start;
    let old = range.end.saturating_sub(range.start);
    let new_len = u32::try_from(new.len()).unwrap_or(u32::MAX);
    let count = u32::try_from(edits.iter().filter(before).count()).unwrap_or(0);
    let start = (range.start + count * new_len).saturating_sub(count * old);
    let vfs = Edited { vfs: engine.vfs, texts: &texts };
    for program in programs {
        let after = Analysis::new(&vfs, &program.program.main, engine.registry, engine.trees);
        let errors = |a: &Analysis| a.diags.iter().filter(|d| d.is_error()).count();
        if errors(&after) > errors(program) {
            let said = after.diags.iter().find(|d| d.is_error()).map_or("", |d| d.message.as_str());
            return Err(format!("the program would be wrong: {said}"));
        }
        let uses = program.uses_of(engine.registry, path, range.clone()).len();
        if after.uses_of(engine.registry, path, start..start + new_len).len() != uses {
            return Err(format!("`{new}` would mean something else in places"));
        }
    }
    Ok(())
}

/// Files of which some were edited.
struct Edited<'v> {
    vfs: &'v dyn Vfs,
    texts: &'v BTreeMap<String, String>,
}

impl Vfs for Edited<'_> {
    fn read(&self, path: &str) -> Option<String> {
        self.texts.get(path).cloned().or_else(|| self.vfs.read(path))
    }

    fn exists(&self, path: &str) -> bool {
        self.texts.contains_key(path) || self.vfs.exists(path)
    }
}
