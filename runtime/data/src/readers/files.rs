//! Which files a source names: roots, globs, and the labels that document ids carry.

use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
};

use globset::GlobBuilder;
use walkdir::WalkDir;

use crate::error::{DataError, Result};

/// One file of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// How the program names it (`data:cc/a.warc.gz`, `books/alice.txt`): the same on every machine.
    pub label: String,
    /// Where it lies on this machine.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
}

/// Where written paths lie on this machine: the project's folder, and the folders of `--root name=path`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roots {
    /// The folder that plain relative paths start from.
    pub project: PathBuf,
    /// Folders of `name:` paths.
    pub named: BTreeMap<String, PathBuf>,
    /// The cache folder of the Hugging Face tools, where `hf("org/name")` is looked for.
    pub hub: PathBuf,
    /// Where objects of stores (`s3://bucket/key`) lie once they were fetched.
    pub objects: PathBuf,
    /// Results of the plan that a step refers to in its arguments: `Value::Input(n)` is the folder or file number `n`. Number
    /// 0 is the pipe that the step stands in.
    pub inputs: Vec<PathBuf>,
}

/// Whether a written path is the address of an object, or a glob of such addresses.
pub fn is_address(written: &str) -> bool {
    written.contains("://")
}

/// The parts of an address: the store (`s3://bucket/`), and the key or glob inside it.
pub fn address(written: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = written.split_once("://")?;
    let store = scheme.len() + 3 + rest.find('/')? + 1;
    Some(written.split_at(store))
}

impl Roots {
    /// Roots of a project without named folders.
    pub fn project(folder: impl Into<PathBuf>) -> Roots {
        Roots { project: folder.into(), ..Roots::default() }
    }

    /// The place of a written path: `name:rest` under a named root (an undeclared root `data` is the project's folder
    /// `data`), anything else under the project's folder.
    pub fn path(&self, written: &str) -> PathBuf {
        let (root, rest) = self.split(written);
        root.join(rest)
    }

    /// The folder that the objects of a store are fetched to.
    pub fn objects_of(&self, store: &str) -> PathBuf {
        let (scheme, host) = store.split_once("://").unwrap_or((store, ""));
        self.objects.join("files").join(scheme).join(host)
    }

    fn split<'a>(&self, written: &'a str) -> (PathBuf, &'a str) {
        if let Some((store, key)) = address(written) {
            return (self.objects_of(store), key);
        }
        match written.split_once(':') {
            Some((name, rest)) if name.len() > 1 && !name.contains(['/', '\\', '*', '?', '[', '{']) => {
                let root = self.named.get(name).cloned();
                (root.unwrap_or_else(|| self.project.join(name)), rest)
            }
            _ => (self.project.clone(), written),
        }
    }

    /// The files that a glob names, sorted by label. `*` and `?` stay inside a folder, `**` crosses folders.
    ///
    /// Errors: a glob that cannot be read, or that no file matches.
    pub fn files(&self, glob: &str) -> Result<Vec<SourceFile>> {
        let bad = |what: String| DataError::Source { glob: glob.to_string(), what };
        if let Some((store, key)) = address(glob) {
            if key.split('/').any(|part| part == "..") {
                return Err(bad("a key of an object has no `..`".into()));
            }
            if !self.objects_of(store).is_dir() {
                let words = "an object of a store that was not fetched yet: `llmp lock` and `llmp run` fetch it \
                             where llmp was built with the feature `object-stores`";
                return Err(bad(words.into()));
            }
        }
        let (root, pattern) = self.split(glob);
        let label_root = &glob[..glob.len() - pattern.len()];
        let fixed: PathBuf =
            Path::new(pattern).components().take_while(|c| !has_wildcard(c)).collect::<PathBuf>();
        if fixed.as_os_str() == pattern || !pattern.contains(['*', '?', '[', '{']) {
            let path = root.join(pattern);
            let facts = std::fs::metadata(&path).map_err(|e| bad(format!("{e}")))?;
            if !facts.is_file() {
                return Err(bad("is a folder, not a file".into()));
            }
            return Ok(vec![SourceFile { label: glob.to_string(), path, bytes: facts.len() }]);
        }
        let rest = pattern[fixed.to_string_lossy().len().min(pattern.len())..].trim_start_matches('/');
        let matcher = GlobBuilder::new(rest).literal_separator(true).build();
        let matcher = matcher.map_err(|e| bad(e.kind().to_string()))?.compile_matcher();
        let base = root.join(&fixed);
        let mut files = Vec::new();
        for entry in WalkDir::new(&base).follow_links(true) {
            let entry = entry.map_err(|e| bad(e.to_string()))?;
            let Ok(inside) = entry.path().strip_prefix(&base) else { continue };
            if entry.file_type().is_file() && matcher.is_match(inside) {
                let bytes = entry.metadata().map_err(|e| bad(e.to_string()))?.len();
                let inside = inside.to_string_lossy().replace('\\', "/");
                let fixed = fixed.to_string_lossy().replace('\\', "/");
                let slash = if fixed.is_empty() || fixed.ends_with('/') { "" } else { "/" };
                let label = format!("{label_root}{fixed}{slash}{inside}");
                files.push(SourceFile { label, path: entry.into_path(), bytes });
            }
        }
        files.sort_by(|a, b| a.label.cmp(&b.label));
        if files.is_empty() {
            return Err(bad("no file matches".into()));
        }
        Ok(files)
    }
}

fn has_wildcard(component: &Component<'_>) -> bool {
    component.as_os_str().to_string_lossy().contains(['*', '?', '[', '{'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_names_its_files_sorted_with_labels() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b/2.txt", "b/1.txt", "b/c/3.txt", "a.txt"] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, name).unwrap();
        }
        let mut roots = Roots::project(folder.path());
        roots.named.insert("data".into(), folder.path().join("b"));
        let labels = |glob: &str| -> Vec<String> {
            roots.files(glob).unwrap().into_iter().map(|file| file.label).collect()
        };
        assert_eq!(labels("b/*.txt"), ["b/1.txt", "b/2.txt"]);
        assert_eq!(labels("**/*.txt"), ["a.txt", "b/1.txt", "b/2.txt", "b/c/3.txt"]);
        assert_eq!(labels("data:*.txt"), ["data:1.txt", "data:2.txt"]);
        assert_eq!(labels("data:c/3.txt"), ["data:c/3.txt"]);
        assert_eq!(labels("b/{1,2}.txt").len(), 2);
        for missing in ["x/*.txt", "b/*.csv", "b", "nothing.txt", "b/[.txt", "s3://bucket/*.txt"] {
            assert!(matches!(roots.files(missing), Err(DataError::Source { .. })), "{missing}");
        }
    }
}
