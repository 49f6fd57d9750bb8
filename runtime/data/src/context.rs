//! What the caller of a long run supplies: stop flag, progress, failpoints; and files that appear whole or not at all.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use crate::error::{DataError, Result};

/// How far a run is; given to the progress callback after every finished chunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Input records taken so far.
    pub records: u64,
    /// Bytes of input files taken so far (before decompression), where the input is a source.
    pub bytes: u64,
    /// Bytes of all input files.
    pub bytes_total: u64,
    /// Documents kept so far.
    pub kept: u64,
}

/// The caller's side of a run. `Context::default()` never stops, shows nothing and fails nowhere.
#[derive(Clone, Copy, Default)]
pub struct Context<'a> {
    /// Raised from outside (Ctrl-C) to end the run at the next document with [`DataError::Stopped`].
    pub stop: Option<&'a AtomicBool>,
    /// Called after every chunk, on the calling thread.
    pub progress: Option<&'a (dyn Fn(Progress) + Sync)>,
    /// Called with a name before and after every write and rename; a test ends the process there.
    pub failpoint: Option<&'a (dyn Fn(&str) + Sync)>,
}

impl Context<'_> {
    /// Error when the stop flag is up.
    pub fn check(&self) -> Result<()> {
        match self.stop {
            Some(flag) if flag.load(Ordering::Relaxed) => Err(DataError::Stopped),
            _ => Ok(()),
        }
    }

    /// Names a moment at which a test may end the process.
    pub fn failpoint(&self, name: &str) {
        if let Some(hook) = self.failpoint {
            hook(name);
        }
    }

    pub(crate) fn report(&self, progress: Progress) {
        if let Some(hook) = self.progress {
            hook(progress);
        }
    }

    /// Writes a whole file under a temporary name, syncs it, renames it and syncs the folder.
    pub fn write_whole(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let mut file = self.create(path)?;
        file.write(bytes)?;
        file.finish()
    }

    /// Begins a file that appears when it is finished, or not at all.
    pub fn create<'c>(&'c self, path: &Path) -> Result<Whole<'c>> {
        let temporary = path.with_file_name(match path.file_name() {
            Some(name) => format!(".{}.tmp", name.to_string_lossy()),
            None => return Err(DataError::artifact(path, "not a file name")),
        });
        self.failpoint("before write");
        let file = File::create(&temporary).map_err(|e| DataError::io("create", &temporary, e))?;
        Ok(Whole { hook: self.failpoint, path: path.to_path_buf(), temporary, file: BufWriter::new(file) })
    }

    /// Appends a line to a journal and syncs it.
    pub(crate) fn append(&self, path: &Path, file: &mut File, line: &[u8]) -> Result<()> {
        self.failpoint("before append");
        let (head, tail) = line.split_at(line.len() / 2);
        file.write_all(head).map_err(|e| DataError::io("write", path, e))?;
        self.failpoint("inside append");
        file.write_all(tail).and_then(|()| file.sync_data()).map_err(|e| DataError::io("write", path, e))?;
        self.failpoint("after append");
        Ok(())
    }
}

/// A file that is written piece by piece and gets its name when it is finished.
pub struct Whole<'a> {
    hook: Option<&'a (dyn Fn(&str) + Sync)>,
    path: PathBuf,
    temporary: PathBuf,
    file: BufWriter<File>,
}

impl Whole<'_> {
    /// Appends bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|e| DataError::io("write", &self.temporary, e))
    }

    /// Syncs the file, renames it and syncs the folder.
    pub fn finish(self) -> Result<()> {
        let point = |name| self.hook.into_iter().for_each(|hook| hook(name));
        point("inside write");
        let file =
            self.file.into_inner().map_err(|e| DataError::io("write", &self.temporary, e.into_error()))?;
        point("before sync");
        file.sync_all().map_err(|e| DataError::io("sync", &self.temporary, e))?;
        point("before rename");
        fs::rename(&self.temporary, &self.path).map_err(|e| DataError::io("rename", &self.path, e))?;
        point("after rename");
        sync_folder(&self.path)
    }
}

/// Makes a rename in the folder of `path` durable.
fn sync_folder(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|f| f.sync_all()).map_err(|e| DataError::io("sync", folder, e))
}
