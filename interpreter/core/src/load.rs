//! Reads the main file and the files that it imports, through a virtual file system; `std/` comes from the library.

use std::collections::BTreeMap;
use std::sync::Arc;

use llmp_grammar::ast::{File, ItemKind, Use, UseNames};
use llmp_grammar::{Diag, FileId, Sink, Sources, Span};
use llmp_stdlib::{Lock, Locked, library};

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
    pub ast: Arc<File>,
    /// Imports: the path as written to the number of the unit; absent where the file was not found.
    pub imports: BTreeMap<String, usize>,
    /// Whether it comes from the library.
    pub library: bool,
    /// Units whose items this one offers besides its own: the files of a library folder.
    pub offers: Vec<usize>,
}

impl Unit {
    fn new(file: FileId, path: String, ast: impl Into<Arc<File>>, library: bool) -> Unit {
        let ast = ast.into();
        Unit { file, path, ast, imports: BTreeMap::new(), library, offers: Vec::new() }
    }
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
    /// Files whose text the program takes in (`file("…")`), by path; absent where they were not found.
    pub texts: BTreeMap<String, String>,
    /// Folder of the project: a program takes nothing in from outside of it.
    pub root: String,
}

/// Trees of files that were read before, for those who load the same files again and again: a file whose text and place
/// among the files are the same is not parsed again.
#[derive(Debug, Default)]
pub struct Trees {
    known: BTreeMap<(String, bool, FileId), Tree>,
    chunks: llmp_grammar::Chunks,
}

#[derive(Debug)]
struct Tree {
    text: String,
    ast: Arc<File>,
    diags: Vec<Diag>,
}

/// Most trees that are kept; when there are more, all are forgotten.
const MOST_TREES: usize = 2_000;

/// Reads and parses a file and everything that it imports. A file that is not there is a diagnostic.
pub fn load(vfs: &dyn Vfs, main: &str) -> (Loaded, Sink) {
    load_with(vfs, main, &mut Trees::default())
}

/// As [`load`], with the trees of earlier loads.
pub fn load_with(vfs: &dyn Vfs, main: &str, trees: &mut Trees) -> (Loaded, Sink) {
    let main = normal(main);
    let (loaded, sink) = (Loaded::default(), Sink::new());
    let mut loader = Loader { vfs, root: root(vfs, &main), loaded, sink, open: vec![], trees };
    if loader.unit(&main).is_none() {
        let file = loader.loaded.sources.add(main.clone(), "");
        loader.sink.push(FileNotFound { path: main.clone(), at: Span::at(file, 0) });
        loader.loaded.units.push(Unit::new(file, main, File::default(), false));
    }
    loader.loaded.locked = locked(vfs, &loader.root, &loader.loaded.units[0].path);
    loader.loaded.root = loader.root;
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
    trees: &'v mut Trees,
}

impl Loader<'_> {
    fn unit(&mut self, path: &str) -> Option<usize> {
        if let Some(known) = self.known(path, false) {
            return Some(known);
        }
        let text = self.vfs.read(path)?;
        Some(self.parse(path, &text, false))
    }

    /// Reads what `file("…")` names, wherever it stands.
    fn texts(&mut self, path: &str, text: &str) {
        let names =
            text.split("file(\"").skip(1).filter_map(|rest| rest.split_once('"')).map(|(name, _)| name);
        for target in names.map(|name| join(folder(path), name)).filter(|target| inside(&self.root, target)) {
            if let Some(text) = self.vfs.read(&target) {
                self.loaded.texts.insert(target, text);
            }
        }
    }

    fn known(&self, path: &str, library: bool) -> Option<usize> {
        self.loaded.units.iter().position(|u| u.path == path && u.library == library)
    }

    /// A file of the library, or a folder of it: then a unit of its own that offers what its files define. Only those
    /// files are read that define one of the imported names.
    fn library(&mut self, path: &str, import: &Use) -> Option<usize> {
        let file = format!("{}.llmp", path.trim_end_matches(".llmp"));
        if let Some(text) = library::library(&file) {
            return Some(self.known(&file, true).unwrap_or_else(|| self.parse(&file, text, true)));
        }
        library::folder(path).next()?;
        let folder = self.known(path, true).unwrap_or_else(|| {
            let file = self.loaded.sources.add(path, "");
            self.loaded.units.push(Unit::new(file, path.to_owned(), File::default(), true));
            self.loaded.units.len() - 1
        });
        let names: Vec<&str> = match &import.names {
            UseNames::Names(names) => names.iter().map(|n| n.name.text.as_str()).collect(),
            UseNames::Namespace(_) => Vec::new(),
        };
        let there = |name: &&str| library::folder(path).any(|(_, text)| defines(text, name));
        let all = names.is_empty() || !names.iter().all(there);
        for (file, text) in library::folder(path) {
            if all || names.iter().any(|name| defines(text, name)) {
                let unit = self.known(file, true).unwrap_or_else(|| self.parse(file, text, true));
                let offers = &mut self.loaded.units[folder].offers;
                if !offers.contains(&unit) {
                    offers.push(unit);
                }
            }
        }
        Some(folder)
    }

    fn parse(&mut self, path: &str, text: &str, library: bool) -> usize {
        let file = self.loaded.sources.add(path, text);
        let ast = self.tree(path, text, file, library);
        let index = self.loaded.units.len();
        let unit = Unit::new(file, path.to_owned(), ast, library);
        let uses: Vec<Use> = unit
            .ast
            .items
            .iter()
            .filter_map(|i| if let ItemKind::Use(u) = &i.kind { Some(u.clone()) } else { None })
            .collect();
        self.loaded.units.push(unit);
        self.texts(path, text);
        self.open.push(index);
        for import in uses {
            self.import(index, path, &import);
        }
        self.open.pop();
        index
    }

    fn tree(&mut self, path: &str, text: &str, file: FileId, library: bool) -> Arc<File> {
        let key = (path.to_owned(), library, file);
        if let Some(tree) = self.trees.known.get(&key).filter(|tree| tree.text == text) {
            self.sink.extend(tree.diags.iter().cloned());
            return Arc::clone(&tree.ast);
        }
        let (parse, sink) = llmp_grammar::parse_with(file, text, &mut self.trees.chunks);
        let (ast, diags) = (Arc::new(parse.file), sink.into_iter().collect::<Vec<_>>());
        self.sink.extend(diags.iter().cloned());
        if self.trees.known.len() >= MOST_TREES {
            self.trees.known.clear();
        }
        self.trees.known.insert(key, Tree { text: text.to_owned(), ast: Arc::clone(&ast), diags });
        ast
    }

    fn import(&mut self, index: usize, from: &str, import: &Use) {
        let written = &import.from.text;
        let found = if written.starts_with("std/") {
            self.library(&normal(written), import)
        } else {
            let target = join(folder(from), written);
            if !inside(&self.root, &target) {
                self.sink.push(LeavesProject { path: written.clone(), at: import.from.span });
                return;
            }
            let with_ending = format!("{target}.llmp");
            let as_written = target.ends_with(".llmp") && self.vfs.exists(&target);
            self.unit(if as_written { &target } else { &with_ending })
        };
        match found {
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

/// Whether a text defines a name: `model llama like …` at the start of a line.
fn defines(text: &str, name: &str) -> bool {
    let named = |line: &str| {
        let (first, rest) = line.split_once(' ')?;
        let (kind, after) = (!first.starts_with('#') && first != "use", rest.strip_prefix(name)?);
        Some(kind && after.starts_with([' ', '(', '[', ':']))
    };
    text.lines().any(|line| named(line) == Some(true))
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

pub(crate) fn inside(root: &str, path: &str) -> bool {
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
    fn the_library_is_there_whatever_the_files() {
        let files: BTreeMap<String, String> = [
            ("main.llmp", "llmp 1\nuse { llama } from \"std/arch\"\nuse { gemma2 } from \"std/arch/gemma2\"\nuse { x } from \"./std/arch/llama.llmp\"\n"),
            ("std/arch/llama.llmp", "llmp 1\nlet x = 1\n"),
        ]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into();
        let (loaded, sink) = load(&files, "main.llmp");
        assert!(sink.is_empty(), "{sink:?}");
        let units: Vec<(&str, bool)> = loaded.units.iter().map(|u| (u.path.as_str(), u.library)).collect();
        let expected = [
            ("main.llmp", false),
            ("std/arch", true),
            ("std/arch/llama.llmp", true),
            ("std/arch/gemma2.llmp", true),
            ("std/arch/llama.llmp", false),
        ];
        assert_eq!(units, expected);
        assert_eq!(loaded.units[1].offers, [2]);
    }

    #[test]
    fn what_the_library_lacks_is_not_found() {
        let main = "llmp 1\nuse { a } from \"std/nowhere\"\nuse { b } from \"std/arch/nothing\"\n";
        let (_, sink) = load(&BTreeMap::from([("main.llmp".to_owned(), main.to_owned())]), "main.llmp");
        assert_eq!(sink.iter().map(|d| d.code).collect::<Vec<_>>(), ["LLMP0109", "LLMP0109"]);
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
