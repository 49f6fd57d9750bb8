//! Reads the main file and the files that it imports, through a virtual file system.

use std::collections::BTreeMap;

use llmp_grammar::ast::{File, ItemKind, Use};
use llmp_grammar::{FileId, Sink, Sources, Span};
use llmp_stdlib::{Lock, Locked};

use crate::codes::{FileNotFound, ImportCycle, LeavesProject};

/// Where texts come from: the disk, an editor's buffers, the library inside the binary.
pub trait Vfs {
    /// The text of a file, if there is one.
    fn read(&self, path: &str) -> Option<String>;

    /// Whether a file or folder is there.
    fn exists(&self, path: &str) -> bool {
        self.read(path).is_some()
    }
}

impl Vfs for BTreeMap<String, String> {
    fn read(&self, path: &str) -> Option<String> {
        self.get(path).cloned()
    }
}

/// One parsed file.
#[derive(Debug, Clone)]
pub struct Unit {
    /// Its number among the sources.
    pub file: FileId,
    /// Its path.
    pub path: String,
    /// Its tree.
    pub ast: File,
    /// Imports: the path as written to the number of the unit; absent where the file was not found.
    pub imports: BTreeMap<String, usize>,
}

/// All files of a program, the main file first.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// The texts.
    pub sources: Sources,
    /// The parsed files.
    pub units: Vec<Unit>,
    /// Facts of `llmp.lock` at the root of the project.
    pub locked: Locked,
}

/// Reads and parses a file and everything that it imports. A file that is not there is a diagnostic.
pub fn load(vfs: &dyn Vfs, main: &str) -> (Loaded, Sink) {
    let main = normal(main);
    let mut loader =
        Loader { vfs, root: root(vfs, &main), loaded: Loaded::default(), sink: Sink::new(), open: vec![] };
    if loader.unit(&main).is_none() {
        let file = loader.loaded.sources.add(main.clone(), "");
        loader.sink.push(FileNotFound { path: main.clone(), at: Span::at(file, 0) });
        loader.loaded.units.push(Unit { file, path: main, ast: File::default(), imports: BTreeMap::new() });
    }
    loader.loaded.locked = locked(vfs, &loader.root, &loader.loaded.units[0].path);
    (loader.loaded, loader.sink)
}

fn locked(vfs: &dyn Vfs, root: &str, main: &str) -> Locked {
    let folder = folder(main).strip_prefix(root).unwrap_or("").trim_start_matches('/');
    match vfs.read(&join(root, Lock::FILE)) {
        Some(text) => Locked::read(&text, folder),
        None => Locked { folder: folder.to_owned(), ..Locked::default() },
    }
}

struct Loader<'v> {
    vfs: &'v dyn Vfs,
    root: String,
    loaded: Loaded,
    sink: Sink,
    open: Vec<usize>,
}

impl Loader<'_> {
    fn unit(&mut self, path: &str) -> Option<usize> {
        if let Some(known) = self.loaded.units.iter().position(|u| u.path == path) {
            return Some(known);
        }
        let text = self.vfs.read(path)?;
        let file = self.loaded.sources.add(path, text.clone());
        let (parse, sink) = llmp_grammar::parse(file, &text);
        self.sink.extend(sink);
        let index = self.loaded.units.len();
        let unit = Unit { file, path: path.to_owned(), ast: parse.file, imports: BTreeMap::new() };
        let uses: Vec<Use> = unit
            .ast
            .items
            .iter()
            .filter_map(|i| if let ItemKind::Use(u) = &i.kind { Some(u.clone()) } else { None })
            .collect();
        self.loaded.units.push(unit);
        self.open.push(index);
        for import in uses {
            self.import(index, path, &import);
        }
        self.open.pop();
        Some(index)
    }

    fn import(&mut self, index: usize, from: &str, import: &Use) {
        let written = &import.from.text;
        let target = target(from, written);
        if !written.starts_with("std/") && !inside(&self.root, &target) {
            self.sink.push(LeavesProject { path: written.clone(), at: import.from.span });
            return;
        }
        let with_ending = format!("{target}.llmp");
        let found = if self.vfs.exists(&target) && target.ends_with(".llmp") { target } else { with_ending };
        match self.unit(&found) {
            Some(unit) if self.open.contains(&unit) => {
                let start = self.open.iter().position(|u| *u == unit).unwrap_or(0);
                let names: Vec<&str> = self.open[start..]
                    .iter()
                    .chain([&unit])
                    .map(|u| file_name(&self.loaded.units[*u].path))
                    .collect();
                let path = names.join(" → ");
                self.sink.push(ImportCycle { path, at: import.from.span });
            }
            Some(unit) => {
                self.loaded.units[index].imports.insert(written.clone(), unit);
            }
            None => self.sink.push(FileNotFound { path: written.clone(), at: import.from.span }),
        }
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Folder of a path, empty for the current one.
pub(crate) fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// A path relative to a folder.
pub(crate) fn join(folder: &str, path: &str) -> String {
    if folder.is_empty() || path.starts_with('/') {
        normal(path)
    } else {
        normal(&format!("{folder}/{path}"))
    }
}

fn target(from: &str, written: &str) -> String {
    if written.starts_with("std/") { normal(written) } else { join(folder(from), written) }
}

/// Without `.` and, where it can be, without `..`.
pub(crate) fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let text = parts.join("/");
    if path.starts_with('/') { format!("/{text}") } else { text }
}

fn inside(root: &str, path: &str) -> bool {
    let below =
        path.strip_prefix(root).is_some_and(|rest| root.is_empty() || rest.starts_with('/') || root == "/");
    below && (root.starts_with("..") || !path.split('/').any(|part| part == ".."))
}

/// The project: the nearest folder with `llmp.lock` or `.llmp`, else the main file's.
fn root(vfs: &dyn Vfs, main: &str) -> String {
    let own = folder(main);
    let mut at = own;
    loop {
        if vfs.exists(&join(at, "llmp.lock")) || vfs.exists(&join(at, ".llmp")) {
            return at.to_owned();
        }
        if at.is_empty() {
            return own.to_owned();
        }
        at = folder(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_made_plain() {
        assert_eq!(normal("./a/../b/./c.llmp"), "b/c.llmp");
        assert_eq!(join("x/y", "../z.llmp"), "x/z.llmp");
        assert_eq!(join("x", "/abs"), "/abs");
        assert!(inside("", "a.llmp") && !inside("", "../a.llmp") && inside("p", "p/q") && !inside("p", "pq"));
    }

    #[test]
    fn a_folder_with_a_lock_is_the_project() {
        let files: BTreeMap<String, String> = [
            ("p/llmp.lock", ""),
            ("p/q/main.llmp", "llmp 1\nuse { a } from \"../a.llmp\"\n"),
            ("p/a.llmp", "llmp 1\nlet a = 1\n"),
        ]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into();
        let (loaded, sink) = load(&files, "p/q/main.llmp");
        assert!(sink.is_empty(), "{sink:?}");
        assert_eq!(loaded.units.len(), 2);
        assert_eq!(loaded.units[0].imports["../a.llmp"], 1);
    }
}
