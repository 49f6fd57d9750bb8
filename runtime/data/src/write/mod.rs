//! Writers: stored documents as files that other tools read.

mod columns;

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use rayon::prelude::*;

use crate::{
    context::{Context, Progress},
    engine,
    error::{DataError, Result},
};

llmp_stdlib::choices! {
    /// The form of exported files.
    Format = "format" {
        /// JSON Lines.
        Jsonl = "jsonl",
        /// JSON Lines, compressed with Zstandard.
        JsonlZst = "jsonl_zst",
        /// Parquet, compressed with Zstandard.
        Parquet = "parquet",
        /// Token ids as NumPy arrays.
        Tokens = "tokens",
    }
}

/// Parts that are written at a time: an interrupted export goes on after the last of them.
const AT_A_TIME: usize = 16;

/// Writes the documents of `from` (for [`Format::Tokens`], a token shard) into `out` as `part-NNNNN.jsonl`,
/// `part-NNNNN.jsonl.zst`, `part-NNNNN.parquet`, or the three files of a shard. Files that are there already are those of an
/// interrupted call and stay.
///
/// Errors: a folder that cannot be read, a disk that is full, the stop flag.
pub fn export(from: &Path, format: Format, out: &Path, ctx: &Context<'_>) -> Result<()> {
    fs::create_dir_all(out).map_err(|e| DataError::io("create", out, e))?;
    if format == Format::Tokens {
        return ["tokens.npy", "offsets.npy", "ids.npy"]
            .iter()
            .try_for_each(|name| link(&from.join(name), &out.join(name)));
    }
    let parts = engine::parts(from)?;
    let schema = match format {
        Format::Parquet => Some(columns::Schema::of(&parts, ctx)?),
        Format::Jsonl | Format::JsonlZst | Format::Tokens => None,
    };
    let mut done = 0;
    for some in parts.chunks(AT_A_TIME) {
        let write = |path: &PathBuf| {
            ctx.check()?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let stem = name.trim_end_matches(".jsonl.zst");
            let target = match format {
                Format::Jsonl => out.join(format!("{stem}.jsonl")),
                Format::JsonlZst | Format::Tokens => out.join(&name),
                Format::Parquet => out.join(format!("{stem}.parquet")),
            };
            if target.exists() {
                return Ok(());
            }
            match &schema {
                Some(schema) => ctx.write_whole(&target, &schema.file(path)?),
                None if format == Format::Jsonl => ctx.write_whole(&target, &unpacked(path)?),
                None => link(path, &target),
            }
        };
        some.par_iter().map(write).collect::<Result<Vec<()>>>()?;
        done += some.len() as u64;
        ctx.report(Progress { records: done, kept: done, ..Progress::default() });
    }
    Ok(())
}

/// The bytes of a stored part.
fn unpacked(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(|e| DataError::io("open", path, e))?;
    let read = zstd::Decoder::new(file).and_then(|mut decoder| decoder.read_to_end(&mut bytes));
    read.map_err(|e| DataError::io("read", path, e))?;
    Ok(bytes)
}

/// The same file under another name: a link where the disk has them, else a copy.
fn link(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        return Ok(());
    }
    if fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    let temporary = to.with_extension("tmp");
    fs::copy(from, &temporary).map_err(|e| DataError::io("copy", from, e))?;
    fs::File::open(&temporary)
        .and_then(|f| f.sync_all())
        .map_err(|e| DataError::io("sync", &temporary, e))?;
    fs::rename(&temporary, to).map_err(|e| DataError::io("rename", to, e))
}
