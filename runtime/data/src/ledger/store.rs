//! Ledgers on disk: one file for each chunk, and the sum of all.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

use super::{Ledger, Lost};
use crate::{
    context::Context,
    engine,
    error::{DataError, Result},
};

const FOLDER: &str = "ledger";
const SUMMARY: &str = "summary.json";
const LEVEL: i32 = 3;

/// Writes the ledger of chunk number `chunk` of the documents in `out`.
pub(crate) fn write(
    out: &Path,
    chunk: u64,
    (ledger, lost): &(Ledger, Vec<Lost>),
    ctx: &Context<'_>,
) -> Result<()> {
    let folder = out.join(FOLDER);
    fs::create_dir_all(&folder).map_err(|e| DataError::io("create", &folder, e))?;
    let path = folder.join(format!("part-{chunk:05}.jsonl.zst"));
    let json = |e| DataError::artifact(&path, e);
    let mut lines = serde_json::to_vec(ledger).map_err(json)?;
    lines.push(b'\n');
    for one in lost {
        serde_json::to_writer(&mut lines, one).map_err(json)?;
        lines.push(b'\n');
    }
    let packed = zstd::encode_all(&lines[..], LEVEL).map_err(|e| DataError::io("compress", &path, e))?;
    ctx.write_whole(&path, &packed)
}

/// Adds up the ledgers of the chunks of a finished segment, once.
pub(crate) fn finish(out: &Path, ctx: &Context<'_>) -> Result<()> {
    let path = out.join(FOLDER).join(SUMMARY);
    if path.exists() {
        return Ok(());
    }
    let ledger = added(out)?;
    let mut text = serde_json::to_vec(&ledger).map_err(|e| DataError::artifact(&path, e))?;
    text.push(b'\n');
    fs::create_dir_all(out.join(FOLDER)).map_err(|e| DataError::io("create", out, e))?;
    ctx.write_whole(&path, &text)
}

/// The ledger of the documents in `out`; `None` where there is none (an older version of llmp stored them).
///
/// Errors: a ledger that cannot be read.
pub fn summary(out: &Path) -> Result<Option<Ledger>> {
    let path = out.join(FOLDER).join(SUMMARY);
    match fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|e| DataError::artifact(&path, e)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(DataError::io("read", &path, e)),
    }
}

/// The files with the lost documents of `out`, in order.
fn parts(out: &Path) -> Result<Vec<PathBuf>> {
    parts_of(&out.join(FOLDER))
}

/// The parts in a folder, in order; none where there is no folder.
pub(super) fn parts_of(folder: &Path) -> Result<Vec<PathBuf>> {
    if folder.is_dir() { engine::parts(folder) } else { Ok(Vec::new()) }
}

fn added(out: &Path) -> Result<Ledger> {
    let mut sum = Ledger::default();
    for path in parts(out)? {
        let mut line = Vec::new();
        open(&path)?.read_until(b'\n', &mut line).map_err(|e| DataError::io("read", &path, e))?;
        let ledger: Ledger = serde_json::from_slice(&line).map_err(|e| DataError::artifact(&path, e))?;
        sum.merge(&ledger);
    }
    Ok(sum)
}

fn open(path: &Path) -> Result<BufReader<zstd::Decoder<'static, BufReader<File>>>> {
    let opened = File::open(path).and_then(zstd::Decoder::new).map(BufReader::new);
    opened.map_err(|e| DataError::io("open", path, e))
}

/// Calls `see` with every line of lost documents in `out` that holds `needle`, in order, with the documents read from
/// it; an empty needle is in every line. Ends when `see` gives `false`.
///
/// Errors: a ledger that cannot be read.
pub fn lost(out: &Path, needle: &str, mut see: impl FnMut(Lost) -> bool) -> Result<()> {
    let needle = memchr::memmem::Finder::new(needle.as_bytes());
    for path in parts(out)? {
        let mut reader = open(&path)?;
        let mut line = Vec::new();
        let mut first = true;
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line).map_err(|e| DataError::io("read", &path, e))?;
            if read == 0 {
                break;
            }
            if std::mem::take(&mut first) || needle.find(&line).is_none() {
                continue;
            }
            let lost = serde_json::from_slice(&line).map_err(|e| DataError::artifact(&path, e))?;
            if !see(lost) {
                return Ok(());
            }
        }
    }
    Ok(())
}
