//! Files and folders that appear whole or not at all: temporary name, sync, rename, sync of the folder above.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Result, TrainError};
use crate::host::Host;

/// Writes a whole file.
pub(crate) fn write(path: &Path, bytes: &[u8], host: &Host<'_>) -> Result<()> {
    let temporary = hidden(path, "tmp");
    host.at("train: before write");
    let mut file = File::create(&temporary).map_err(TrainError::io("create", &temporary))?;
    file.write_all(bytes).map_err(TrainError::io("write", &temporary))?;
    host.at("train: before sync");
    file.sync_all().map_err(TrainError::io("sync", &temporary))?;
    rename(&temporary, path, host)
}

/// Moves a file or folder whose content is synced to its final name, where nothing or a file stands.
pub(crate) fn rename(from: &Path, to: &Path, host: &Host<'_>) -> Result<()> {
    host.at("train: before rename");
    fs::rename(from, to).map_err(TrainError::io("rename", to))?;
    host.at("train: after rename");
    sync_folder(to.parent().unwrap_or(Path::new(".")))
}

/// Replaces folder `to` by folder `from`: the old one moves aside first, so that one of them is always whole.
pub(crate) fn replace_folder(from: &Path, to: &Path, host: &Host<'_>) -> Result<()> {
    let old = hidden(to, "old");
    remove_folder(&old)?;
    if to.exists() {
        host.at("train: before move aside");
        fs::rename(to, &old).map_err(TrainError::io("replace", to))?;
    }
    rename(from, to, host)?;
    remove_folder(&old)
}

/// Removes a folder that may not be there.
pub(crate) fn remove_folder(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(TrainError::io("remove", path)(e)),
        _ => Ok(()),
    }
}

/// Makes names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder).and_then(|f| f.sync_all()).map_err(TrainError::io("sync", folder))
}

/// Makes a file's content durable.
pub(crate) fn sync_file(path: &Path) -> Result<()> {
    File::open(path).and_then(|f| f.sync_all()).map_err(TrainError::io("sync", path))
}

/// `.name.suffix` beside `path`.
pub(crate) fn hidden(path: &Path, suffix: &str) -> PathBuf {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!(".{name}.{suffix}"))
}
