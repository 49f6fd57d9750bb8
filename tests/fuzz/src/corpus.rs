//! Every program of the repository, found by walking it: what is shipped later is tested without a change here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use llmp_interpreter::Vfs;

/// A program with its path from the root of the repository.
#[derive(Clone, Debug)]
pub struct Program {
    /// Such as `examples/quickstart.llmp`.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Programs that users are given to run: the examples and what `llmp new` writes. Modules that only others import are left out
/// ([`everything`] has them).
pub fn shipped() -> Vec<Program> {
    let own = |p: &Program| p.path.starts_with("examples/") || p.path.starts_with("interpreter/cli/src/");
    let programs: Vec<Program> = everything().into_iter().filter(own).collect();
    let main = |p: &Program| {
        ["pretrain ", "release ", "eval ", "sft "].iter().any(|k| p.text.contains(&format!("\n{k}")))
    };
    programs.into_iter().filter(main).collect()
}

/// Every `.llmp` file, library, tests and suites included.
pub fn everything() -> Vec<Program> {
    let root = root();
    let mut found = Vec::new();
    walk(&root, &root, &mut found);
    found.sort_by(|a: &Program, b| a.path.cmp(&b.path));
    found
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<Program>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.starts_with('.') && name != "target" && name != "node_modules" {
                walk(root, &path, found);
            }
        } else if name.ends_with(".llmp") {
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            found.push(Program {
                path: path.strip_prefix(root).unwrap().to_string_lossy().into_owned(),
                text,
            });
        }
    }
}

/// All files of the repository, read once, with one of them replaced.
pub struct Files<'a> {
    all: &'a BTreeMap<String, String>,
    path: &'a str,
    text: &'a str,
}

impl<'a> Files<'a> {
    /// `path` has the text `text`, whatever is on the disk.
    pub fn new(all: &'a BTreeMap<String, String>, path: &'a str, text: &'a str) -> Files<'a> {
        Files { all, path, text }
    }
}

impl Vfs for Files<'_> {
    fn read(&self, path: &str) -> Option<String> {
        if path == self.path { Some(self.text.to_owned()) } else { self.all.get(path).cloned() }
    }

    fn exists(&self, path: &str) -> bool {
        path == self.path || self.all.contains_key(path)
    }
}
