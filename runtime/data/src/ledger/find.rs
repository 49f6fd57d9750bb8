//! Finds stored documents by what stands in their lines, part by part on all cores, without reading the lines.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use super::store::parts_of;
use crate::{
    document::Document,
    error::{DataError, Result},
};

/// A stored document and where it lies.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// The part's file.
    pub part: PathBuf,
    /// Number of its line, from 1.
    pub line: u64,
    /// The document.
    pub document: Document,
}

/// Documents of `folder` whose stored lines hold `needle` and that `wanted` takes, in order. The search ends soon after
/// `most` were found, so those are the first of their parts but not of the folder.
///
/// Errors: a part that cannot be read.
pub fn find(
    folder: &Path,
    needle: &str,
    most: usize,
    wanted: impl Fn(&Document) -> bool + Sync,
) -> Result<Vec<Place>> {
    let found = AtomicUsize::new(0);
    let search = |part: PathBuf| -> Result<Vec<Place>> {
        let needle = memchr::memmem::Finder::new(needle.as_bytes());
        let mut own = Vec::new();
        let mut number = 0;
        let opened = File::open(&part).and_then(zstd::Decoder::new);
        let mut reader = BufReader::new(opened.map_err(|e| DataError::io("open", &part, e))?);
        let mut line = Vec::new();
        while found.load(Ordering::Relaxed) < most {
            line.clear();
            let read = reader.read_until(b'\n', &mut line).map_err(|e| DataError::io("read", &part, e))?;
            if read == 0 {
                break;
            }
            number += 1;
            if needle.find(&line).is_none() {
                continue;
            }
            let document: Document =
                serde_json::from_slice(&line).map_err(|e| DataError::artifact(&part, e))?;
            if wanted(&document) {
                found.fetch_add(1, Ordering::Relaxed);
                own.push(Place { part: part.clone(), line: number, document });
            }
        }
        Ok(own)
    };
    let all: Vec<Vec<Place>> = parts_of(folder)?.into_par_iter().map(search).collect::<Result<_>>()?;
    Ok(all.into_iter().flatten().take(most).collect())
}

/// How a text stands inside a stored line: escaped, without its quotes.
pub fn stored(text: &str) -> String {
    // Texts always serialise.
    let quoted = serde_json::to_string(text).unwrap_or_default();
    quoted[1..quoted.len().saturating_sub(1)].to_owned()
}

/// Identity of the stored documents of a folder: a hash of the id and a hash of the line, sorted. Of `passes` passes
/// over the folder, pass number `pass` takes those whose ids fall to it, so that memory stays bounded.
///
/// Errors: a part that cannot be read.
pub fn identities(folder: &Path, pass: u64, passes: u64) -> Result<Vec<(u64, u64)>> {
    let mut all = each_line(folder, |_, line, id| {
        let hash = xxh3_64(id.as_bytes());
        (hash % passes.max(1) == pass).then(|| (hash, xxh3_64(line)))
    })?;
    all.par_sort_unstable();
    Ok(all)
}

/// Ids of the stored documents of a folder whose hashes are among `wanted` (sorted), in order.
///
/// Errors: a part that cannot be read.
pub fn ids(folder: &Path, wanted: &[u64]) -> Result<Vec<String>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    each_line(folder, |_, _, id| wanted.binary_search(&xxh3_64(id.as_bytes())).is_ok().then(|| id.to_owned()))
}

/// The id at the beginning of a stored line.
#[derive(serde::Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    id: std::borrow::Cow<'a, str>,
}

fn each_line<T: Send>(
    folder: &Path,
    take: impl Fn(&Path, &[u8], &str) -> Option<T> + Sync,
) -> Result<Vec<T>> {
    let read = |part: PathBuf| -> Result<Vec<T>> {
        let opened = File::open(&part).and_then(zstd::Decoder::new);
        let mut reader = BufReader::new(opened.map_err(|e| DataError::io("open", &part, e))?);
        let (mut taken, mut line) = (Vec::new(), Vec::new());
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line).map_err(|e| DataError::io("read", &part, e))?;
            if read == 0 {
                return Ok(taken);
            }
            let head: Head<'_> = serde_json::from_slice(&line).map_err(|e| DataError::artifact(&part, e))?;
            taken.extend(take(&part, &line, &head.id));
        }
    };
    let all: Vec<Vec<T>> = parts_of(folder)?.into_par_iter().map(read).collect::<Result<_>>()?;
    Ok(all.into_iter().flatten().collect())
}
