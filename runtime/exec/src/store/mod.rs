//! The store: results of steps under keys over their definition and the content of their inputs.
//!
//! `<root>/.llmp/store/<key>/` holds a result; its `manifest.json` is written last, and a folder gets its final
//! name only when it is whole. `<key>.part` is what an interrupted run left; `<key>.lock` is held by the run that
//! works on the key.

pub mod durable;
pub mod files;
mod journal;
mod key;
mod lock;
mod manifest;

use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::resolve::Finished;

pub use journal::Journal;
pub use key::{Definition, Input, Key, Member};
pub use lock::Lock;
pub use manifest::{BadRecords, Content, Manifest, Numerics};

/// A store below a project root.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// The store of a project; nothing is created yet.
    pub fn at(root: &Path) -> Store {
        Store { root: root.join(".llmp") }
    }

    /// The folder of the store, its journals and its index of files.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the result of a key lies, or will lie.
    pub fn folder(&self, key: &Key) -> PathBuf {
        self.root.join("store").join(key.text())
    }

    /// Where a run works on a key.
    pub fn work_folder(&self, key: &Key) -> PathBuf {
        self.root.join("store").join(format!("{}.part", key.text()))
    }

    /// The manifest of a key, if its result is there.
    pub fn manifest(&self, key: &Key) -> Result<Option<Manifest>, Failure> {
        Manifest::open(&self.folder(key))
    }

    /// The result that lies under the text of a key, if it is there.
    pub fn finished(&self, key: &str) -> Result<Option<Finished>, Failure> {
        let folder = self.root.join("store").join(key);
        Ok(Manifest::open(&folder)?.map(|manifest| Finished { folder, manifest }))
    }

    /// Takes the lock of a key; `waiting` is called once if another run holds it.
    pub fn lock(&self, key: &Key, waiting: impl FnOnce()) -> Result<Lock, Failure> {
        let folder = self.root.join("store");
        std::fs::create_dir_all(&folder).map_err(|e| Failure::io("create", &folder, &e))?;
        Lock::take(&folder.join(format!("{}.lock", key.text())), waiting)
    }

    /// Takes the lock under which results are put where people look for them.
    pub fn lock_places(&self) -> Result<Lock, Failure> {
        std::fs::create_dir_all(&self.root).map_err(|e| Failure::io("create", &self.root, &e))?;
        Lock::take(&self.root.join("places.lock"), || {})
    }

    /// Gives a finished work folder its final name: the manifest is written, everything synced, then renamed.
    pub fn publish(&self, key: &Key, manifest: &Manifest, hook: durable::Hook<'_>) -> Result<(), Failure> {
        let (work, done) = (self.work_folder(key), self.folder(key));
        manifest.write(&work, hook)?;
        durable::rename_folder(&work, &done, hook)
    }
}
