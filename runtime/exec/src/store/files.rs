//! External files: found by glob, hashed, with (size, mtime, inode) as the fast path of the second look.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Store;
use super::durable::{self, Hook};
use crate::failure::Failure;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Seen {
    size: u64,
    modified_ns: u128,
    inode: u64,
    hash: String,
}

/// Hashes of external files that were seen before.
#[derive(Debug, Default)]
pub struct Index {
    path: PathBuf,
    seen: BTreeMap<String, Seen>,
    changed: bool,
    only_known: bool,
}

impl Index {
    /// Opens the index of a store; an unreadable one is forgotten, which costs only time.
    pub fn open(store: &Store) -> Index {
        let path = store.root().join("files.json");
        let seen = std::fs::read_to_string(&path).ok().and_then(|text| serde_json::from_str(&text).ok());
        Index { path, seen: seen.unwrap_or_default(), changed: false, only_known: false }
    }

    /// The index, never reading a file: the hash of one that is not known, or changed since, is a word that equals
    /// no hash.
    pub fn only_known(self) -> Index {
        Index { only_known: true, ..self }
    }

    /// The BLAKE3 of a file, from the index when size, time and inode are as they were.
    pub fn hash(&mut self, path: &Path) -> Result<String, Failure> {
        let meta = std::fs::metadata(path).map_err(|e| Failure::io("open", path, &e))?;
        let stamp = meta.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
        let name =
            std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).to_string_lossy().into_owned();
        let now = (meta.len(), stamp.map_or(0, |d| d.as_nanos()), inode(&meta));
        if let Some(seen) = self.seen.get(&name)
            && (seen.size, seen.modified_ns, seen.inode) == now
        {
            return Ok(seen.hash.clone());
        }
        if self.only_known {
            return Ok("not read yet".to_owned());
        }
        let hash = durable::hash_file(path)?;
        self.seen.insert(name, Seen { size: now.0, modified_ns: now.1, inode: now.2, hash: hash.clone() });
        self.changed = true;
        Ok(hash)
    }

    /// Writes the index if it changed.
    pub fn save(&mut self, hook: Hook<'_>) -> Result<(), Failure> {
        if !self.changed {
            return Ok(());
        }
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| Failure::io("create", folder, &e))?;
        }
        let text = serde_json::to_string(&self.seen).map_err(|e| Failure::new("LLMP1301", e.to_string()))?;
        durable::write(&self.path, text.as_bytes(), hook)?;
        self.changed = false;
        Ok(())
    }
}

#[cfg(unix)]
fn inode(meta: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(meta)
}

#[cfg(not(unix))]
fn inode(_: &std::fs::Metadata) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_that_only_knows_reads_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let (store, file) = (Store::at(folder.path()), folder.path().join("a.txt"));
        std::fs::write(&file, "text").unwrap();
        let known = || Index::open(&store).only_known().hash(&file).unwrap();
        let unread = known();
        let mut index = Index::open(&store);
        let hash = index.hash(&file).unwrap();
        index.save(&durable::no_hook).unwrap();
        assert_ne!(unread, hash);
        assert_eq!(known(), hash);
        std::fs::write(&file, "longer text").unwrap();
        assert_eq!(known(), unread);
    }
}
