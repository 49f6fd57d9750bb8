//! CSV and TSV: one document a row, quotes as RFC 4180 has them.

use std::io::{self, BufRead};

use llmp_stdlib::{Problem, arg::FilePath};
use serde_json::{Map, Value};

use super::shape::{self, ColumnType, DeclaredColumns, Records as Shape};
use super::stream::MAX_RECORD;
use super::{
    Body, Decoded, OnError, Reader, Record, Records, SourceFile, Tap, decoded, only, rows, text::utf8,
};
use crate::error::{At, DataError, Result};

llmp_stdlib::def! {
    /// CSV with a header line: one document a row, the other columns beside it; tab-separated with `separator = "\t"`.
    ///
    /// A field may stand in double quotes, which hold separators and line ends; a quote inside is doubled. A column is text
    /// unless `columns` says otherwise; an empty field is no value. A row with more or fewer fields than the header, or without
    /// text, or whose field is not what its column is declared as, is a bad record.
    ///
    /// ```llmp
    /// source reviews = csv("reviews/*.csv", text = "body", columns = { stars = Num })
    /// ```
    Csv = "csv", rev 1, source Docs, to shape::state, check csv_fields {
        /// Files, as in `text`.
        glob: FilePath,
        /// The column that holds the text.
        text: String = "\"text\"",
        /// What one record is.
        r#as: Shape = "Docs",
        /// Columns with their types. Without them the columns are open until they are locked.
        columns: Option<DeclaredColumns> = "none",
        /// The character between two columns.
        separator: String = "\",\"",
        /// What happens to a row that cannot be read.
        on_error: OnError = "count",
    }
}

fn csv_fields(it: &Csv) -> Vec<Problem> {
    let mut problems = shape::fields(it.r#as, it.columns.as_ref());
    let plain = matches!(it.separator.as_bytes(), [sign] if sign.is_ascii() && !b"\"\r\n".contains(sign));
    if !plain {
        let message = format!("csv: `separator` is {:?}, must be one ASCII character", it.separator);
        problems.push(Problem::error("LLMP0209", "separator", message));
    }
    problems
}

impl Reader for Csv {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn glob(&self) -> &str {
        &self.glob.0
    }

    fn on_error(&self) -> OnError {
        self.on_error
    }

    fn open(&self, file: &SourceFile, tap: Tap) -> Result<Records> {
        let path = file.path.clone();
        let label = file.label.clone();
        let settings = self.clone();
        let separator = self.separator.bytes().next().unwrap_or(b',');
        let mut cutter = match decoded(file, tap)? {
            Ok(input) => Cutter { input, separator, line: 1, start: 1 },
            Err(bad) => return Ok(bad),
        };
        let header = match cutter.row() {
            Ok(Some(Ok(header))) => header,
            Ok(Some(Err(what))) => return Ok(only(Body::Bad(format!("the header: {what}")))),
            Ok(None) => return Ok(only(Body::Bad("the file is empty".into()))),
            Err(e) if Decoded::is_fatal(&e) => return Err(DataError::io("read", &path, e)),
            Err(e) => return Ok(only(Body::Bad(Decoded::explain(&e)))),
        };
        let mut cutter = Some(cutter);
        let mut index = 0;
        Ok(Box::new(std::iter::from_fn(move || {
            let own = cutter.as_mut()?;
            let row = own.row();
            let at = At::Line(own.start);
            let body = match row {
                Ok(None) => return None,
                Ok(Some(Err(what))) => Body::Bad(what),
                Ok(Some(Ok(row))) => match settings.row(format!("{label}#{index}"), &header, row) {
                    Ok(doc) => Body::Document(doc),
                    Err(what) => Body::Bad(what),
                },
                Err(e) => {
                    cutter = None;
                    if Decoded::is_fatal(&e) {
                        return Some(Err(DataError::io("read", &path, e)));
                    }
                    Body::Bad(Decoded::explain(&e))
                }
            };
            index += 1;
            Some(Ok(Record { index: index - 1, at, body }))
        })))
    }
}

impl Csv {
    fn row(&self, id: String, header: &[String], row: Vec<String>) -> Result<crate::Document, String> {
        if row.len() != header.len() {
            return Err(format!("{} fields, the header has {}", row.len(), header.len()));
        }
        let form = rows::Form { records: self.r#as, text: &self.text, columns: self.columns.as_ref() };
        let mut fields = Map::new();
        for (name, field) in header.iter().zip(row) {
            let declared = self.columns.iter().flat_map(|columns| &columns.0).find(|(own, _)| own == name);
            let value = match declared.map(|(_, ty)| *ty) {
                _ if field.is_empty() && *name != self.text => continue,
                Some(ColumnType::Num) => match field.trim().parse::<f64>() {
                    Ok(n) if n.is_finite() => Value::from(n),
                    _ => return Err(format!("the column `{name}` is {field:?}, declared as Num")),
                },
                Some(ColumnType::Bool) => match field.trim().to_ascii_lowercase().as_str() {
                    "true" | "1" => Value::Bool(true),
                    "false" | "0" => Value::Bool(false),
                    _ => return Err(format!("the column `{name}` is {field:?}, declared as Bool")),
                },
                Some(ColumnType::Text) | None => Value::String(field),
            };
            fields.insert(name.clone(), value);
        }
        form.row(id, fields)
    }
}

/// Cuts a stream of bytes into rows of fields.
struct Cutter {
    input: Decoded,
    separator: u8,
    /// Number of the line that is read next.
    line: u64,
    /// Line in which the last row began.
    start: u64,
}

impl Cutter {
    /// The fields of the next row that is not blank; words where they are none.
    fn row(&mut self) -> io::Result<Option<Result<Vec<String>, String>>> {
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            self.start = self.line;
            if !self.cut(&mut bytes)? {
                let what = format!("longer than {MAX_RECORD} bytes: a quote that does not end?");
                self.input.pass_line()?;
                self.line += 1;
                return Ok(Some(Err(what)));
            }
            if bytes.is_empty() {
                return Ok(None);
            }
            if !bytes.trim_ascii().is_empty() {
                break;
            }
        }
        if bytes.ends_with(b"\n") {
            bytes.pop();
        }
        if bytes.ends_with(b"\r") {
            bytes.pop();
        }
        Ok(Some(utf8(bytes).and_then(|row| fields(&row, self.separator))))
    }

    /// Appends bytes up to the next line end outside of quotes; `false` where they are too many.
    fn cut(&mut self, row: &mut Vec<u8>) -> io::Result<bool> {
        let mut quoted = false;
        // A quote opens a field only where the field begins.
        let mut begins = true;
        loop {
            let there = self.input.fill_buf()?;
            if there.is_empty() {
                return Ok(true);
            }
            let mut end = None;
            for (at, &byte) in there.iter().enumerate() {
                match byte {
                    b'"' if quoted => quoted = false,
                    // A quote that follows a closed one goes on with the field.
                    b'"' => quoted = begins,
                    b'\n' => {
                        self.line += 1;
                        if !quoted {
                            end = Some(at + 1);
                            break;
                        }
                    }
                    _ => {}
                }
                begins = !quoted && (byte == self.separator || byte == b'"');
            }
            let n = end.unwrap_or(there.len());
            row.extend_from_slice(&there[..n]);
            self.input.consume(n);
            if row.len() as u64 > MAX_RECORD {
                return Ok(false);
            }
            if end.is_some() {
                return Ok(true);
            }
        }
    }
}

/// The fields of a row without its line end.
fn fields(row: &str, separator: u8) -> Result<Vec<String>, String> {
    let mut all = Vec::new();
    let mut rest = row;
    loop {
        let Some(quoted) = rest.strip_prefix('"') else {
            let end = rest.bytes().position(|b| b == separator);
            all.push(rest[..end.unwrap_or(rest.len())].to_owned());
            match end {
                Some(end) => rest = &rest[end + 1..],
                None => return Ok(all),
            }
            continue;
        };
        let mut field = String::new();
        rest = quoted;
        loop {
            let end = rest.find('"').ok_or("a quote that does not end")?;
            field.push_str(&rest[..end]);
            rest = &rest[end + 1..];
            match rest.strip_prefix('"') {
                Some(after) => {
                    field.push('"');
                    rest = after;
                }
                None => break,
            }
        }
        all.push(field);
        match rest.as_bytes().first() {
            None => return Ok(all),
            Some(sign) if *sign == separator => rest = &rest[1..],
            Some(_) => return Err("text behind a closed quote".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_separators_and_line_ends() {
        let read = |row: &str| fields(row, b',');
        assert_eq!(read(r#"a,"b, ""c""",,d"#).unwrap(), ["a", "b, \"c\"", "", "d"]);
        assert_eq!(read("\"a\nb\"").unwrap(), ["a\nb"]);
        assert_eq!(read("").unwrap(), [""]);
        assert_eq!(read("a,").unwrap(), ["a", ""]);
        assert!(read(r#""a"#).is_err() && read(r#""a"b"#).is_err());
        assert_eq!(fields("a\tb,c", b'\t').unwrap(), ["a", "b,c"]);
    }
}
