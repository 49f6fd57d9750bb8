//! `llmp.lock`: facts of the files that programs of a project read, in a form that diffs well.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::signature::{Column, Columns};

/// Version of the format that this crate writes.
pub const VERSION: u32 = 1;

/// One file of an input.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LockedFile {
    /// Its path as programs name it: relative to the project, or below a named root (`data:a.txt`).
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// BLAKE3 of its bytes, in hexadecimal.
    pub hash: String,
}

/// One input: a glob of a source, or the file or folder of a tokenizer or model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Files, sorted by path.
    pub files: Vec<LockedFile>,
    /// Size of all files.
    pub bytes: u64,
    /// Programs that read it, relative to the project, sorted.
    pub programs: BTreeSet<String>,
    /// The field that holds the text, where the reader has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Revision of a repository that it was resolved to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Records found, those that cannot be read among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Records that are documents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documents: Option<u64>,
    /// UTF-8 bytes of their texts; of web pages, the bytes of their bodies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_bytes: Option<u64>,
    /// Columns that documents carry, with their types.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<BTreeMap<String, String>>,
}

impl Input {
    /// The columns with their types, if they were measured.
    pub fn columns(&self) -> Option<Columns> {
        let known = |(name, ty): (&String, &String)| Some((name.clone(), column(ty)?));
        Some(self.columns.as_ref()?.iter().filter_map(known).collect())
    }
}

fn column(name: &str) -> Option<Column> {
    match name {
        "Text" => Some(Column::Text),
        "Num" => Some(Column::Num),
        "Bool" => Some(Column::Bool),
        _ => None,
    }
}

/// The lock of a project: inputs by reader and path, as [`Lock::key`] joins them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// Version of the format.
    pub version: u32,
    /// Inputs by key.
    pub inputs: BTreeMap<String, Input>,
}

impl Default for Lock {
    fn default() -> Lock {
        Lock { version: VERSION, inputs: BTreeMap::new() }
    }
}

impl Lock {
    /// Name of the file at the root of a project.
    pub const FILE: &'static str = "llmp.lock";

    /// The key of an input: `jsonl data/*.jsonl`.
    pub fn key(reader: &str, path: &str) -> String {
        format!("{reader} {path}")
    }

    /// Reads a lock.
    ///
    /// Errors: text that is no lock, or a version that this program does not know, in words.
    pub fn parse(text: &str) -> Result<Lock, String> {
        let lock: Lock = serde_json::from_str(text).map_err(|error| format!("it cannot be read: {error}"))?;
        if lock.version == VERSION {
            Ok(lock)
        } else {
            Err(format!("its version is {}, this program knows version {VERSION}", lock.version))
        }
    }

    /// The lock as text: keys sorted, one line for each file, so that a change of one file is a change of few lines.
    pub fn print(&self) -> String {
        let mut out = format!("{{\n  \"version\": {},\n  \"inputs\": {{", self.version);
        for (index, (key, input)) in self.inputs.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let _ = write!(out, "{comma}\n    {}: {{", json(key));
            print_input(&mut out, input);
            out.push_str("\n    }");
        }
        out.push_str(if self.inputs.is_empty() { "}\n}\n" } else { "\n  }\n}\n" });
        out
    }
}

fn print_input(out: &mut String, input: &Input) {
    let mut facts: Vec<(&str, String)> = vec![("programs", json(&input.programs))];
    let text = |name, value: &Option<String>| value.as_ref().map(|v| (name, json(v)));
    let count = |name, value: Option<u64>| value.map(|v| (name, v.to_string()));
    facts.extend(text("text", &input.text));
    facts.extend(text("revision", &input.revision));
    facts.push(("bytes", input.bytes.to_string()));
    facts.extend(count("rows", input.rows));
    facts.extend(count("documents", input.documents));
    facts.extend(count("text_bytes", input.text_bytes));
    facts.extend(input.columns.as_ref().map(|columns| ("columns", json(columns))));
    for (name, value) in facts {
        let _ = write!(out, "\n      \"{name}\": {value},");
    }
    out.push_str("\n      \"files\": [");
    for (index, file) in input.files.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(out, "{comma}\n        {}", json(file));
    }
    out.push_str(if input.files.is_empty() { "]" } else { "\n      ]" });
}

fn json(value: &(impl Serialize + ?Sized)) -> String {
    // Text, maps of text and plain structs always have a JSON form.
    serde_json::to_string(value).unwrap_or_default()
}

/// The lock as a program sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Locked {
    /// The lock, if there is one that can be read.
    pub lock: Option<Lock>,
    /// Why a lock that is there cannot be read.
    pub broken: Option<String>,
    /// Folder of the program relative to the project, empty for the project's own folder.
    pub folder: String,
}

impl Locked {
    /// The lock of a project's text.
    pub fn read(text: &str, folder: impl Into<String>) -> Locked {
        match Lock::parse(text) {
            Ok(lock) => Locked { lock: Some(lock), broken: None, folder: folder.into() },
            Err(why) => Locked { lock: None, broken: Some(why), folder: folder.into() },
        }
    }

    /// A path as written in the program, relative to the project instead; paths below a named root stay as they are.
    pub fn path(&self, written: &str) -> String {
        let rooted = written
            .split_once(':')
            .is_some_and(|(name, _)| name.len() > 1 && !name.contains(['/', '\\', '*', '?', '[', '{']));
        if rooted || written.starts_with('/') || self.folder.is_empty() {
            return written.trim_start_matches("./").to_owned();
        }
        let mut parts: Vec<&str> = Vec::new();
        for part in self.folder.split('/').chain(written.split('/')) {
            match part {
                "" | "." => {}
                ".." if parts.last().is_some_and(|last| *last != "..") => {
                    parts.pop();
                }
                part => parts.push(part),
            }
        }
        parts.join("/")
    }

    /// What is locked of a reader's path.
    pub fn input(&self, reader: &str, written: &str) -> Option<&Input> {
        self.lock.as_ref()?.inputs.get(&Lock::key(reader, &self.path(written)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock() -> Lock {
        let file = |path: &str| LockedFile { path: path.into(), bytes: 3, hash: "ab".into() };
        let columns = [("text", "Text"), ("year", "Num")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        let input = Input {
            files: vec![file("data/a.jsonl"), file("data/b.jsonl")],
            bytes: 6,
            programs: ["main.llmp".to_owned()].into(),
            text: Some("text".into()),
            rows: Some(2),
            columns: Some(columns.into()),
            ..Input::default()
        };
        Lock { inputs: [(Lock::key("jsonl", "data/*.jsonl"), input)].into(), ..Lock::default() }
    }

    #[test]
    fn what_is_printed_is_read_back_and_one_file_is_one_line() {
        for lock in [lock(), Lock::default()] {
            let text = lock.print();
            assert_eq!(Lock::parse(&text).unwrap(), lock, "{text}");
        }
        let text = lock().print();
        assert!(
            text.contains("\n        {\"path\":\"data/b.jsonl\",\"bytes\":3,\"hash\":\"ab\"}\n"),
            "{text}"
        );
    }

    #[test]
    fn locks_of_other_versions_are_refused() {
        let text = lock().print().replace("\"version\": 1", "\"version\": 9");
        assert!(Lock::parse(&text).unwrap_err().contains("version is 9"));
        assert!(Locked::read("[", "").broken.is_some());
    }

    #[test]
    fn paths_are_relative_to_the_project() {
        let locked = Locked { folder: "recipes".into(), ..Locked::read(&lock().print(), "recipes") };
        assert_eq!(locked.path("../data/*.jsonl"), "data/*.jsonl");
        assert_eq!(locked.path("books/*.txt"), "recipes/books/*.txt");
        assert_eq!(locked.path("data:cc/*.warc"), "data:cc/*.warc");
        let input = locked.input("jsonl", "../data/*.jsonl").unwrap();
        assert_eq!(input.columns().unwrap()["year"], Column::Num);
        assert!(locked.input("parquet", "../data/*.jsonl").is_none());
    }
}
