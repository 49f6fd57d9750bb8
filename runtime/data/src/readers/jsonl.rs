//! JSON Lines: one document a line.

use std::io::BufRead;

use llmp_stdlib::{Problem, arg::FilePath};
use serde_json::{Map, Value};

use super::shape::{self, DeclaredColumns, Records as Shape};
use super::{Body, Decoded, OnError, Reader, Record, Records, SourceFile, Tap, text::utf8};
use crate::{
    document::{Cell, Document},
    error::{At, DataError, Result},
};

llmp_stdlib::def! {
    /// JSON Lines, plain or compressed (`.gz` of several members, `.zst`): one object a line.
    ///
    /// Text, numbers and truth values beside the text become columns, lists and objects become columns of JSON text;
    /// the fields of an object called `metadata` become columns themselves. Blank lines are passed over. A line that
    /// is not an object, or has no text, is a bad record; when a file is cut, the lines before the cut are read.
    ///
    /// ```llmp
    /// source speeches = jsonl("sotu.jsonl.gz", text = "body", license = "public-domain")
    /// ```
    Jsonl = "jsonl", rev 1, source Docs, to shape::state, check fields, lacks not_yet {
        /// Files, as in `text`.
        glob: FilePath,
        /// The field that holds the text.
        text: String = "\"text\"",
        /// What one record is.
        r#as: Shape = "Docs",
        /// Columns with their types: `{ lang = Text, stars = Num }`. Without them the columns are open until they are locked.
        columns: Option<DeclaredColumns> = "none",
        /// What happens to a line that cannot be read.
        on_error: OnError = "count",
    }
}

fn fields(it: &Jsonl) -> Vec<Problem> {
    shape::fields(it.r#as, it.columns.as_ref())
}

fn not_yet(it: &Jsonl) -> Vec<Problem> {
    shape::not_read_yet(it.r#as)
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
        let mut input = match Decoded::new(tap) {
            Ok(input) => Some(input),
            Err(e) => return Err(DataError::io("read", &path, e)),
        };
        Ok(Box::new(std::iter::from_fn(move || {
            loop {
                let mut line = Vec::new();
                number += 1;
                let record = |at, body| Some(Ok(Record { index: number - 1, at, body }));
                match input.as_mut()?.read_until(b'\n', &mut line) {
                    Ok(0) => {
                        input = None;
                        let empty = || record(At::File, Body::Bad("the file is empty".into()));
                        return if number == 1 { empty() } else { None };
                    }
                    Ok(_) if line.trim_ascii().is_empty() => {}
                    Ok(_) => return record(At::Line(number), Body::Bytes(line)),
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
        let fields = utf8(bytes).and_then(|line| {
            serde_json::from_str::<Map<String, Value>>(&line).map_err(|e| format!("not a JSON object: {e}"))
        });
        let mut fields = match fields {
            Ok(fields) => fields,
            Err(what) => return Body::Bad(what),
        };
        let text = match fields.remove(&self.text) {
            Some(Value::String(text)) => text,
            Some(_) => return Body::Bad(format!("the field `{}` is not text", self.text)),
            None => return Body::Bad(format!("there is no field `{}`", self.text)),
        };
        let mut doc = Document::new(format!("{}#{index}", file.label), text);
        if let Some(Value::Object(inner)) = fields.remove("metadata") {
            doc.columns.extend(inner.into_iter().filter_map(column));
        }
        doc.columns.extend(fields.into_iter().filter_map(column));
        Body::Document(doc)
    }
}

/// A field as a column; `null` is no column.
fn column((name, value): (String, Value)) -> Option<(String, Cell)> {
    let cell = match value {
        Value::Null => return None,
        Value::Bool(b) => Cell::Bool(b),
        Value::Number(n) => Cell::Num(n.as_f64()?),
        Value::String(text) => Cell::Text(text),
        nested @ (Value::Array(_) | Value::Object(_)) => Cell::Text(nested.to_string()),
    };
    Some((name, cell))
}
