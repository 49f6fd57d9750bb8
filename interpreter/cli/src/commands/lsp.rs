//! `llmp lsp`: the language server over standard input and output, and the files that it sees.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use llmp_interpreter::Vfs;
use llmp_lsp::{Desk, Settings};

use crate::load::Disk;
use crate::{Exit, load, output};

/// Folders below a project that are looked into.
const DEPTH: usize = 6;

/// Most programs of a project.
const MOST: usize = 2_000;

pub(crate) fn lsp() -> Exit {
    let (connection, threads) = lsp_server::Connection::stdio();
    let clean = llmp_lsp::serve(&connection, settings());
    drop(connection);
    if let Err(error) = threads.join() {
        output::note(&format!("error: the connection to the editor broke: {error}"));
        return Exit::Failed;
    }
    if clean { Exit::Clean } else { Exit::Failed }
}

/// What a server is given: every built-in, the disk.
pub(super) fn settings() -> Settings {
    Settings {
        registry: llmp_exec::registry(),
        desk: Box::new(Files { copies: copies(), written: RefCell::default() }),
        codes: load::codes(),
        version: env!("CARGO_PKG_VERSION"),
    }
}

/// The disk, and a folder for readable copies of what is no file.
struct Files {
    copies: PathBuf,
    written: RefCell<BTreeSet<String>>,
}

/// Where copies of the library lie: the cache of the user, by version.
fn copies() -> PathBuf {
    let of = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || of("HOME").map(|home| home.join(".cache"));
    let cache = of("XDG_CACHE_HOME").or_else(|| of("LOCALAPPDATA")).or_else(home);
    cache.unwrap_or_else(std::env::temp_dir).join("llmp").join(env!("CARGO_PKG_VERSION"))
}

impl Vfs for Files {
    fn read(&self, path: &str) -> Option<String> {
        Disk.read(path)
    }

    fn exists(&self, path: &str) -> bool {
        Disk.exists(path)
    }
}

impl Desk for Files {
    fn programs(&self, folder: &str) -> Vec<String> {
        let mut found = Vec::new();
        below(Path::new(folder), DEPTH, &mut found);
        found.sort();
        found
    }

    fn publish(&self, name: &str, text: &str) -> Option<String> {
        let path = self.copies.join(name);
        let shown = path.to_string_lossy().replace('\\', "/");
        if self.written.borrow_mut().insert(name.to_owned())
            && std::fs::read_to_string(&path).ok().as_deref() != Some(text)
        {
            std::fs::create_dir_all(path.parent()?).ok()?;
            std::fs::write(&path, text).ok()?;
        }
        Some(shown)
    }
}

/// Programs of a folder; hidden folders, links and what tools build are left out.
fn below(folder: &Path, depth: usize, found: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let (name, path) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
        let Ok(sort) = entry.file_type() else { continue };
        if found.len() >= MOST {
            return;
        }
        if sort.is_dir() && depth > 0 && !name.starts_with('.') && name != "target" && name != "node_modules"
        {
            below(&path, depth - 1, found);
        } else if sort.is_file() && name.ends_with(".llmp") {
            found.push(path.to_string_lossy().replace('\\', "/"));
        }
    }
}
