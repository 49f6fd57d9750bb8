//! JSON Lines: one document a line.

use llmp_stdlib::{Problem, arg::FilePath};
use serde_json::{Map, Value};

use super::shape::{self, DeclaredColumns, Records as Shape};
use super::stream::{Line, MAX_RECORD};
use super::{
    Body, Decoded, OnError, Reader, Record, Records, SourceFile, Tap, decoded, fields, rows, text::utf8,
};
use crate::error::{At, DataError, Result};

llmp_stdlib::def! {
    /// JSON Lines, plain or compressed (`.gz` of several members, `.zst`): one object a line.
    ///
    /// Text, numbers and truth values beside the text become columns, lists and objects become columns of JSON text;
    /// the fields of an object called `metadata` become columns themselves. Blank lines are passed over. A line that
    /// is not an object, has no text, or is longer than 64 MiB, is a bad record, and so is one whose column has another type
    /// than declared; when a file is cut, the lines before the cut are read.
    ///
    /// ```llmp
    /// source speeches = jsonl("sotu.jsonl.gz", text = "body", license = "public-domain")
    /// ```
    Jsonl = "jsonl", rev 1, source Docs, to shape::state, check declared {
        /// Files, as in `text`.
        glob: FilePath,
        /// The field that holds the text; a list of texts is joined with empty lines.
        text: String = "\"text\"",
        /// What one record is.
        r#as: Shape = "Docs",
        /// Columns with their types: `{ lang = Text, stars = Num }`. Without them the columns are open until they are locked.
        columns: Option<DeclaredColumns> = "none",
        /// What happens to a line that cannot be read.
        on_error: OnError = "count",
    }
}

fn declared(it: &Jsonl) -> Vec<Problem> {
    shape::fields(it.r#as, it.columns.as_ref())
}

impl Reader for Jsonl {
    fn name(&self) -> &'static str {
        "jsonl"
    }

    fn glob(&self) -> &str {
        &self.glob.0
    }

    fn on_error(&self) -> OnError {
        self.on_error
    }

    fn open(&self, file: &SourceFile, tap: Tap) -> Result<Records> {
        let path = file.path.clone();
        let mut number = 0;
        let mut input = match decoded(file, tap)? {
            Ok(input) => Some(input),
            Err(bad) => return Ok(bad),
        };
        Ok(Box::new(std::iter::from_fn(move || {
            loop {
                let mut line = Vec::new();
                number += 1;
                let record = |at, body| Some(Ok(Record { index: number - 1, at, body }));
                match input.as_mut()?.line(&mut line, MAX_RECORD) {
                    Ok(Line::End) => {
                        input = None;
                        let empty = || record(At::File, Body::Bad("the file is empty".into()));
                        return if number == 1 { empty() } else { None };
                    }
                    Ok(Line::TooLong) => {
                        let what = format!("longer than {MAX_RECORD} bytes");
                        return record(At::Line(number), Body::Bad(what));
                    }
                    Ok(Line::Whole) if line.trim_ascii().is_empty() => {}
                    Ok(Line::Whole) => return record(At::Line(number), Body::Bytes(line)),
                    Err(e) if Decoded::is_fatal(&e) => {
                        input = None;
                        return Some(Err(DataError::io("read", &path, e)));
                    }
                    Err(e) => {
                        input = None;
                        return record(At::Line(number), Body::Bad(Decoded::explain(&e)));
                    }
                }
            }
        })))
    }

    fn parse(&self, file: &SourceFile, index: u64, bytes: Vec<u8>) -> Body {
        let id = format!("{}#{index}", file.label);
        let form = rows::Form { records: self.r#as, text: &self.text, columns: self.columns.as_ref() };
        let line = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let read = match self.r#as {
            Shape::Docs => fields::document(id, line, &self.text).and_then(|doc| form.checked(doc)),
            Shape::Chat | Shape::Prompt | Shape::Preference | Shape::Labelled => {
                let fields = serde_json::from_slice::<Map<String, Value>>(line);
                let fields = fields.map_err(|e| format!("not a JSON object: {e}"));
                fields.and_then(|fields| form.row(id, fields))
            }
        };
        match read {
            Ok(doc) => Body::Document(doc),
            // Where the bytes are not text at all, that is what is wrong with them.
            Err(what) => Body::Bad(utf8(bytes).err().unwrap_or(what)),
        }
    }
}
