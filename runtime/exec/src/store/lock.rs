//! One run at a time works on a key: an advisory lock on a file, released when the process ends, however it ends.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::failure::Failure;

/// A held lock.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    pub(super) fn take(path: &Path, waiting: impl FnOnce()) -> Result<Lock, Failure> {
        let file = File::options()
            .create(true)
            .append(true)
            .open(path)
            .map_err(|e| Failure::io("open", path, &e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                waiting();
                file.lock().map_err(|e| Failure::io("lock", path, &e))?;
            }
            Err(TryLockError::Error(e)) => return Err(Failure::io("lock", path, &e)),
        }
        Ok(Lock { _file: file })
    }
}
