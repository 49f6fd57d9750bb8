//! Facts of a source for the lock: records, documents, bytes of text and columns, from one read of its files.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::{Body, FileFacts, Reader, Record, SourceFile, Tap};
use crate::error::Result;

/// What one read of all files of a source found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// Each file with its size and hash.
    pub files: Vec<FileFacts>,
    /// Records, those that cannot be read among them.
    pub rows: u64,
    /// Records that are documents.
    pub documents: u64,
    /// UTF-8 bytes of their texts; of pages, the bytes of their bodies.
    pub text_bytes: u64,
    /// Columns and the names of their types: that of the first record that has the column.
    pub columns: BTreeMap<String, String>,
    /// Names of the texts of a record: `text`, or the lists of messages.
    pub state: BTreeSet<&'static str>,
}

impl Measured {
    fn add(&mut self, reader: &dyn Reader, file: &SourceFile, record: Record) {
        let body = match record.body {
            Body::Bytes(bytes) => reader.parse(file, record.index, bytes),
            other => other,
        };
        self.rows += u64::from(!matches!(body, Body::Skipped(_)));
        let Body::Document(doc) = body else { return };
        self.documents += 1;
        match &doc.row {
            Some(row) => self.state.extend(row.parts().into_iter().map(|(name, _)| name)),
            None => _ = self.state.insert("text"),
        }
        self.text_bytes += doc.raw.as_ref().map_or(doc.text.len(), |page| page.bytes.len()) as u64;
        for (name, cell) in &doc.columns {
            if !self.columns.contains_key(name) {
                self.columns.insert(name.clone(), cell.type_name().to_owned());
            }
        }
    }

    fn join(&mut self, next: Measured) {
        self.files.extend(next.files);
        self.rows += next.rows;
        self.documents += next.documents;
        self.text_bytes += next.text_bytes;
        self.state.extend(next.state);
        for (name, ty) in next.columns {
            self.columns.entry(name).or_insert(ty);
        }
    }
}

/// Reads every file of a source once, on all cores. Facts do not depend on the number of threads.
///
/// Errors: the operating system refuses a file. Content that cannot be read only lowers the count of documents.
pub fn measure(reader: &dyn Reader, files: &[SourceFile]) -> Result<Measured> {
    let each: Result<Vec<Measured>> = files.par_iter().map(|file| one(reader, file)).collect();
    let mut all = Measured::default();
    each?.into_iter().for_each(|next| all.join(next));
    Ok(all)
}

fn one(reader: &dyn Reader, file: &SourceFile) -> Result<Measured> {
    let tap = Tap::open(file)?;
    let mut found = Measured::default();
    for record in reader.open(file, tap.clone())? {
        found.add(reader, file, record?);
    }
    let facts = tap.finish().map_err(|e| crate::error::DataError::io("read", &file.path, e))?;
    found.files.push(facts);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::readers::{OnError, Roots, Text};
    use llmp_stdlib::{Record as Arguments, Value, arg::FilePath};

    #[test]
    fn json_lines_are_counted_with_their_columns() {
        let folder = tempfile::tempdir().unwrap();
        let lines = "{\"text\": \"né\", \"year\": 1}\nnot json\n{\"text\": \"b\", \"lang\": \"en\"}\n";
        std::fs::write(folder.path().join("a.jsonl"), lines).unwrap();
        std::fs::write(folder.path().join("b.jsonl"), "{\"text\": \"c\", \"year\": \"1\"}\n").unwrap();
        let files = Roots::project(folder.path()).files("*.jsonl").unwrap();
        let args: Arguments = [
            ("glob", Value::text("*.jsonl")),
            ("text", Value::text("text")),
            ("as", Value::Choice("Docs".into())),
            ("columns", Value::None),
            ("on_error", Value::Choice("count".into())),
        ]
        .map(|(k, v)| (k.to_owned(), v))
        .into();
        let reader = super::super::reader("jsonl", &args).unwrap().unwrap();
        let found = measure(reader.as_ref(), &files).unwrap();
        assert_eq!((found.rows, found.documents, found.text_bytes), (4, 3, 5));
        let columns: Vec<_> = found.columns.iter().map(|(k, v)| format!("{k}: {v}")).collect();
        assert_eq!(columns, ["lang: Text", "year: Num"]);
        assert_eq!(found.files[0].bytes, lines.len() as u64);
        assert_eq!(found.files[0].hash, blake3::hash(lines.as_bytes()).to_hex().to_string());
    }

    #[test]
    fn texts_have_a_document_a_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.txt"), "abc").unwrap();
        std::fs::write(folder.path().join("b.txt"), b"\xff").unwrap();
        let reader = Text {
            glob: FilePath("*.txt".into()),
            per: crate::readers::text::Piece::File,
            on_error: OnError::Count,
        };
        let found = measure(&reader, &Roots::project(folder.path()).files("*.txt").unwrap()).unwrap();
        assert_eq!((found.rows, found.documents, found.text_bytes), (2, 1, 3));
        assert!(found.columns.is_empty());
    }
}
