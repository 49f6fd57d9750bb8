//! Which files import which: found by their lines, so that a file with mistakes is known too.

use std::collections::{BTreeMap, BTreeSet};

use llmp_interpreter::Vfs;

use crate::documents::Document;
use crate::world::Texts;

/// Most programs that a file is checked in.
const MOST: usize = 8;

/// What each file imports, as far as it was looked at.
#[derive(Default)]
pub(crate) struct Imports {
    epoch: u64,
    files: BTreeMap<String, (Option<u64>, Vec<String>)>,
    /// Programs in each folder that was listed.
    pub(crate) listed: BTreeMap<String, Vec<String>>,
}

impl Imports {
    /// A file, and the programs that import it and are imported by none.
    pub(crate) fn mains(
        &mut self,
        path: &str,
        texts: &Texts<'_>,
        epoch: u64,
        roots: &[String],
        documents: &BTreeMap<String, Document>,
    ) -> Vec<String> {
        let by = self.importers(path, texts, epoch, roots, documents);
        let mut mains = vec![path.to_owned()];
        let mut seen = BTreeSet::from([path.to_owned()]);
        let mut open = vec![path.to_owned()];
        while let Some(file) = open.pop() {
            let above = by.get(&file);
            if above.is_none_or(Vec::is_empty) && file != path {
                mains.push(file.clone());
            }
            for next in above.into_iter().flatten() {
                if seen.insert(next.clone()) {
                    open.push(next.clone());
                }
            }
        }
        mains.truncate(MOST);
        mains
    }

    /// Files that may belong to the project of a file.
    pub(crate) fn files(
        &mut self,
        path: &str,
        texts: &Texts<'_>,
        epoch: u64,
        roots: &[String],
    ) -> Vec<String> {
        if self.epoch != epoch {
            self.files.retain(|_, (revision, _)| revision.is_some());
            self.listed.clear();
            self.epoch = epoch;
        }
        let folder = project(path, texts, roots);
        let list = || texts.programs(&folder);
        self.listed.entry(folder.clone()).or_insert_with(list).clone()
    }

    /// For each file, those that import it.
    fn importers(
        &mut self,
        path: &str,
        texts: &Texts<'_>,
        epoch: u64,
        roots: &[String],
        documents: &BTreeMap<String, Document>,
    ) -> BTreeMap<String, Vec<String>> {
        let mut all = self.files(path, texts, epoch, roots);
        all.extend(documents.keys().cloned());
        all.sort();
        all.dedup();
        let mut by: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for file in all {
            let revision = documents.get(&file).map(|d| d.revision);
            let known = self.files.get(&file).is_some_and(|(r, _)| *r == revision);
            if !known {
                let text = texts.read(&file).unwrap_or_default();
                self.files.insert(file.clone(), (revision, imports(&file, &text)));
            }
            for target in self.files.get(&file).into_iter().flat_map(|(_, targets)| targets) {
                by.entry(target.clone()).or_default().push(file.clone());
            }
        }
        by
    }
}

/// The folder of the project of a file: the nearest with a lock, else that of the workspace around it, else its own.
fn project(path: &str, texts: &Texts<'_>, roots: &[String]) -> String {
    let own = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut at = own;
    loop {
        if texts.exists(&format!("{at}/llmp.lock")) || texts.exists(&format!("{at}/.llmp")) {
            return at.to_owned();
        }
        match at.rsplit_once('/') {
            Some((above, _)) if !above.is_empty() => at = above,
            _ => break,
        }
    }
    let around =
        roots.iter().filter(|root| path.strip_prefix(root.as_str()).is_some_and(|r| r.starts_with('/')));
    around.max_by_key(|root| root.len()).cloned().unwrap_or_else(|| own.to_owned())
}

/// Paths of the files that a text imports.
pub(crate) fn imports(path: &str, text: &str) -> Vec<String> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let lines = text.lines().filter(|line| line.starts_with("use ") || line.starts_with('}'));
    let written = lines.filter_map(|line| line.split_once("from \"")?.1.split('"').next());
    let found = written.filter(|path| !path.starts_with("std/")).map(|path| target(folder, path));
    found.collect()
}

/// The file that an import names.
pub(crate) fn target(folder: &str, written: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').collect();
    for part in written.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let path = parts.join("/");
    if path.ends_with(".llmp") { path } else { format!("{path}.llmp") }
}

/// A path as an import of a file in a folder writes it.
pub(crate) fn relative(folder: &str, path: &str) -> String {
    let (from, to): (Vec<&str>, Vec<&str>) = (folder.split('/').collect(), path.split('/').collect());
    let same = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = from.len() - same;
    let start = if up == 0 { "./".to_owned() } else { "../".repeat(up) };
    format!("{start}{}", to[same..].join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_found_by_their_lines() {
        let text = "llmp 1\nuse { a } from \"./data.llmp\"\nuse {\n  b,\n} from \"../x\"\nuse { c } from \"std/arch\"\n";
        assert_eq!(imports("/p/q/main.llmp", text), ["/p/q/data.llmp", "/p/x.llmp"]);
        assert_eq!(relative("/p/q", "/p/x.llmp"), "../x.llmp");
        assert_eq!(relative("/p", "/p/q/x.llmp"), "./q/x.llmp");
    }
}
