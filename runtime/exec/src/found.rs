//! Finds the files of an external input: a glob, a file, a folder, or a repository of the Hugging Face cache.

use std::path::{Path, PathBuf};

use llmp_data::readers::{self, Roots, SourceFile};
use llmp_stdlib::Step;
use llmp_stdlib::hub::Named;

use crate::failure::Failure;
use crate::hub::{self, Repository};

/// Files of an input: the revision of its repository, if it is one, and each file with its label.
#[derive(Debug)]
pub struct Found {
    /// Commit of the repository, where the files come from the cache.
    pub revision: Option<String>,
    /// The files, sorted by label.
    pub files: Vec<SourceFile>,
}

/// The files that a step reads at a path that it names: those that its reader takes, or what lies there.
///
/// Errors: nothing is there, as LLMP1002.
pub fn of_step(step: &Step, path: &str, roots: &Roots) -> Result<Found, Failure> {
    match readers::reader(&step.op, &step.args) {
        Ok(Some(reader)) if reader.glob() == path => {
            let files = reader.files(roots).map_err(|e| nothing(&e))?;
            Ok(Found { revision: None, files })
        }
        _ => written(path, roots),
    }
}

fn nothing(error: &llmp_data::DataError) -> Failure {
    Failure::new("LLMP1002", error.to_string())
        .help("paths are relative to the program; `name:…` paths lie where --root name=FOLDER says")
}

/// The files that a written path or glob names; all files of a folder.
///
/// Errors: nothing is there, as LLMP1002.
pub fn written(path: &str, roots: &Roots) -> Result<Found, Failure> {
    let folder = roots.path(path);
    if folder.is_dir() {
        return Ok(Found { revision: None, files: below(&folder, path)? });
    }
    let files = roots.files(path).map_err(|e| nothing(&e))?;
    Ok(Found { revision: None, files })
}

/// The files of a repository that are meant: of a dataset those of its split, of a tokenizer its `tokenizer.json`.
/// A folder of that name beside the program is taken before the cache; nothing is fetched.
///
/// Errors: it is not there, or nothing in it fits, as LLMP1002 in words that say where was looked.
pub fn repository(named: &Named<'_>, roots: &Roots) -> Result<Found, Failure> {
    let fail = |words: String| Failure::new("LLMP1002", words);
    let beside = roots.path(named.name);
    let (folder, revision) = if beside.is_dir() {
        (beside, None)
    } else {
        let kind = if named.split.is_some() { Repository::Dataset } else { Repository::Model };
        let wanted = named.revision.map_or_else(|| named.name.to_owned(), |r| format!("{}@{r}", named.name));
        let found = hub::snapshot(&roots.hub, kind, &wanted).map_err(fail)?;
        (found.folder, Some(found.revision))
    };
    let files = match named.split {
        Some(split) => {
            let files = below(&folder, named.name)?;
            readers::chosen(files, named.name, named.config, split).map_err(fail)?
        }
        None => {
            let path = folder.join("tokenizer.json");
            let facts = std::fs::metadata(&path).map_err(|_| {
                fail(format!("`{}` holds no tokenizer.json: {} was looked in", named.name, folder.display()))
            })?;
            let label = format!("{}/tokenizer.json", named.name.trim_end_matches('/'));
            vec![SourceFile { label, path, bytes: facts.len() }]
        }
    };
    Ok(Found { revision, files })
}

/// All files below a folder, hidden ones left out, under the name of the folder.
fn below(root: &Path, label: &str) -> Result<Vec<SourceFile>, Failure> {
    let mut files = Vec::new();
    let mut open: Vec<(PathBuf, String)> = vec![(root.to_owned(), label.trim_end_matches('/').to_owned())];
    while let Some((folder, label)) = open.pop() {
        let fail = |e: std::io::Error| Failure::io("list", &folder, &e);
        for entry in std::fs::read_dir(&folder).map_err(fail)? {
            let path = entry.map_err(fail)?.path();
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            if name.starts_with('.') {
                continue;
            }
            let label = format!("{label}/{name}");
            // Files of the cache are links to blobs: what they point at counts.
            let facts = std::fs::metadata(&path).map_err(|e| Failure::io("open", &path, &e))?;
            if facts.is_dir() {
                open.push((path, label));
            } else {
                files.push(SourceFile { label, path, bytes: facts.len() });
            }
        }
    }
    files.sort_by(|a, b| a.label.cmp(&b.label));
    Ok(files)
}
