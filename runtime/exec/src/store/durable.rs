//! Files and folders that appear whole or not at all: temporary name, sync, rename, sync of the folder.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use crate::failure::Failure;

/// Called with a name around every write and rename; a test ends the process there.
pub type Hook<'a> = &'a (dyn Fn(&str) + Sync);

/// A hook that does nothing.
pub fn no_hook(_: &str) {}

/// Writes a whole file.
pub fn write(path: &Path, bytes: &[u8], hook: Hook<'_>) -> Result<(), Failure> {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let fail = |what: &'static str| move |e: std::io::Error| Failure::io(what, path, &e);
    hook("store: before write");
    let mut file = File::create(&temporary).map_err(fail("create"))?;
    file.write_all(bytes).map_err(fail("write"))?;
    hook("store: before sync");
    file.sync_all().map_err(fail("sync"))?;
    hook("store: before rename");
    fs::rename(&temporary, path).map_err(fail("rename"))?;
    hook("store: after rename");
    sync_parent(path)
}

/// Copies a file into a folder that has no name yet; its bytes are on the disk when this returns.
pub fn copy(from: &Path, to: &Path, hook: Hook<'_>) -> Result<(), Failure> {
    hook("store: before write");
    std::fs::copy(from, to).map_err(|e| Failure::io("copy", from, &e))?;
    hook("store: before sync");
    File::open(to).and_then(|f| f.sync_all()).map_err(|e| Failure::io("sync", to, &e))
}

/// Moves a finished folder to its final name, replacing what is there.
pub fn rename_folder(from: &Path, to: &Path, hook: Hook<'_>) -> Result<(), Failure> {
    let fail = |what: &'static str| move |e: std::io::Error| Failure::io(what, to, &e);
    File::open(from).and_then(|f| f.sync_all()).map_err(fail("sync"))?;
    hook("store: before publish");
    if to.exists() {
        fs::remove_dir_all(to).map_err(fail("replace"))?;
    }
    fs::rename(from, to).map_err(fail("rename"))?;
    hook("store: after publish");
    sync_parent(to)
}

fn sync_parent(path: &Path) -> Result<(), Failure> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent).and_then(|f| f.sync_all()).map_err(|e| Failure::io("sync", parent, &e))
}

/// BLAKE3 of a file's bytes, in hexadecimal.
pub fn hash_file(path: &Path) -> Result<String, Failure> {
    let mut hasher = blake3::Hasher::new();
    let file = File::open(path).map_err(|e| Failure::io("open", path, &e))?;
    hasher.update_reader(file).map_err(|e| Failure::io("read", path, &e))?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// BLAKE3 over the names and bytes of all files below a folder, in the order of their names; hidden files are left out.
pub fn hash_folder(folder: &Path) -> Result<String, Failure> {
    let mut names = Vec::new();
    collect(folder, "", &mut names)?;
    names.sort();
    let mut hasher = blake3::Hasher::new();
    for name in names {
        let hash = hash_file(&folder.join(&name))?;
        hasher.update(format!("{name}\n{hash}\n").as_bytes());
    }
    Ok(hasher.finalize().to_hex().to_string())
}

fn collect(folder: &Path, prefix: &str, names: &mut Vec<String>) -> Result<(), Failure> {
    let entries = fs::read_dir(folder.join(prefix)).map_err(|e| Failure::io("list", folder, &e))?;
    for entry in entries {
        let entry = entry.map_err(|e| Failure::io("list", folder, &e))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        if entry.path().is_dir() { collect(folder, &path, names)? } else { names.push(path) }
    }
    Ok(())
}
