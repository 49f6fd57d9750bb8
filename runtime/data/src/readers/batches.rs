//! Rows of Arrow batches as documents: what Parquet and Arrow IPC files have in common.

use std::{
    fs::File,
    panic::{AssertUnwindSafe, catch_unwind},
};

use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::{DataType, Float64Type},
    error::ArrowError,
    util::display::{ArrayFormatter, FormatOptions},
};
use serde_json::{Map, Value};

use super::shape::{DeclaredColumns, Records as Shape};
use super::{Body, Record, Records, SourceFile, only, rows};
use crate::{
    document::{Cell, Document},
    error::{At, DataError, Result},
};

/// How the rows of a file become documents.
pub(super) struct Form {
    pub(super) records: Shape,
    pub(super) text: String,
    pub(super) columns: Option<DeclaredColumns>,
    /// Label of the file.
    pub(super) label: String,
}

/// Calls code of another crate on data of unknown origin: what panics there is a fault of the data.
fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let worked = catch_unwind(AssertUnwindSafe(work));
    worked.unwrap_or_else(|_| Err("the decoder gave up on damaged data".into()))
}

impl Form {
    /// The records of a file that `open` knows how to decode; `kind` is its name in words.
    pub(super) fn read<B>(
        self,
        file: &SourceFile,
        kind: &str,
        open: impl FnOnce(File) -> Result<B, String>,
    ) -> Result<Records>
    where
        B: Iterator<Item = Result<RecordBatch, ArrowError>> + Send + 'static,
    {
        let handle = File::open(&file.path).map_err(|e| DataError::io("open", &file.path, e))?;
        Ok(match guarded(|| open(handle)) {
            Ok(all) => self.rows(all),
            Err(e) if file.bytes == 0 => only(Body::Bad(format!("the file is empty ({e})"))),
            Err(e) => only(Body::Bad(format!("not a whole {kind} file: {e}"))),
        })
    }

    /// The records of a file out of its batches; the first batch that cannot be decoded is the last record.
    fn rows(
        self,
        mut batches: impl Iterator<Item = Result<RecordBatch, ArrowError>> + Send + 'static,
    ) -> Records {
        let mut next = 0;
        let mut failed = false;
        let all = std::iter::from_fn(move || {
            if failed {
                return None;
            }
            let first = next;
            let decoded = guarded(|| match batches.next() {
                None => Ok(None),
                Some(Ok(batch)) => Ok(Some((batch.num_rows() as u64, self.batch(&batch, first)))),
                Some(Err(e)) => Err(e.to_string()),
            });
            Some(match decoded.transpose()? {
                Ok((count, records)) => {
                    next += count;
                    records
                }
                Err(e) => {
                    failed = true;
                    let body = Body::Bad(format!("the rows from here on cannot be decoded: {e}"));
                    vec![Record { index: first, at: At::Record(first + 1), body }]
                }
            })
        });
        Box::new(all.flatten().map(Ok))
    }

    /// The documents of a batch whose first row has the number `first`.
    fn batch(&self, batch: &RecordBatch, first: u64) -> Vec<Record> {
        let record = |(row, doc): (usize, Result<Document, String>)| {
            let index = first + row as u64;
            let body = match doc {
                Ok(doc) => Body::Document(doc),
                Err(what) => Body::Bad(what),
            };
            Record { index, at: At::Record(index + 1), body }
        };
        let docs =
            if self.records == Shape::Docs { self.docs(batch, first) } else { self.others(batch, first) };
        docs.into_iter().enumerate().map(record).collect()
    }

    fn form(&self) -> rows::Form<'_> {
        rows::Form { records: self.records, text: &self.text, columns: self.columns.as_ref() }
    }

    fn docs(&self, batch: &RecordBatch, first: u64) -> Vec<Result<Document, String>> {
        let (label, text) = (&self.label, &self.text);
        let names: Vec<String> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
        let mut columns: Vec<Vec<Option<Cell>>> =
            batch.columns().iter().map(|column| cells(column)).collect();
        let mut document = |row: usize| {
            let mut doc = Document::new(format!("{label}#{}", first + row as u64), "");
            let mut found = Err(format!("there is no column `{text}`"));
            for (name, cells) in names.iter().zip(&mut columns) {
                match (name == text, cells[row].take()) {
                    (true, Some(Cell::Text(own))) => {
                        doc.text = own;
                        found = Ok(());
                    }
                    (true, None) => found = Err(format!("the column `{text}` is null")),
                    (true, Some(other)) => {
                        found = Err(format!("the column `{text}` is {}", other.type_name()));
                    }
                    (false, Some(cell)) => {
                        doc.columns.insert(name.clone(), cell);
                    }
                    (false, None) => {}
                }
            }
            found.and_then(|()| self.form().checked(doc))
        };
        (0..batch.num_rows()).map(&mut document).collect()
    }

    fn others(&self, batch: &RecordBatch, first: u64) -> Vec<Result<Document, String>> {
        let schema = batch.schema();
        let row = |row: usize| {
            let field =
                |(field, column): (&std::sync::Arc<arrow::datatypes::Field>, &arrow::array::ArrayRef)| {
                    (field.name().clone(), value(column, row, 0))
                };
            let fields: Map<String, Value> = schema.fields().iter().zip(batch.columns()).map(field).collect();
            self.form().row(format!("{}#{}", self.label, first + row as u64), fields)
        };
        (0..batch.num_rows()).map(row).collect()
    }
}

/// A column as cells; null and what cannot be shown are `None`.
fn cells(column: &dyn Array) -> Vec<Option<Cell>> {
    match column.data_type() {
        DataType::Boolean => column.as_boolean().iter().map(|cell| cell.map(Cell::Bool)).collect(),
        DataType::Utf8 => column.as_string::<i32>().iter().map(|cell| cell.map(Cell::from)).collect(),
        kind if kind.is_numeric() && !matches!(kind, DataType::Decimal128(..) | DataType::Decimal256(..)) => {
            match arrow::compute::cast(column, &DataType::Float64) {
                Ok(wide) => {
                    // What is no number is no value: stored documents have no sign for it.
                    let number = |cell: Option<f64>| cell.filter(|n| n.is_finite()).map(Cell::Num);
                    wide.as_primitive::<Float64Type>().iter().map(number).collect()
                }
                Err(_) => vec![None; column.len()],
            }
        }
        DataType::List(_) | DataType::LargeList(_) | DataType::Struct(_) => {
            let cell = |row| rows::column((String::new(), value(column, row, 0))).map(|(_, cell)| cell);
            (0..column.len()).map(cell).collect()
        }
        _ => {
            let options = FormatOptions::default();
            let Ok(shown) = ArrayFormatter::try_new(column, &options) else {
                return vec![None; column.len()];
            };
            let cell = |row| match column.is_null(row) {
                true => None,
                false => shown.value(row).try_to_string().ok().map(Cell::Text),
            };
            (0..column.len()).map(cell).collect()
        }
    }
}

/// Deepest nesting of lists and structures that is followed.
const DEEPEST: usize = 32;

/// One value as JSON: lists and structures as they are nested, numbers and truth values as themselves, the rest as text.
fn value(column: &dyn Array, row: usize, depth: usize) -> Value {
    if column.is_null(row) || depth > DEEPEST {
        return Value::Null;
    }
    let list = |items: &dyn Array| (0..items.len()).map(|n| value(items, n, depth + 1)).collect();
    match column.data_type() {
        DataType::List(_) => Value::Array(list(&column.as_list::<i32>().value(row))),
        DataType::LargeList(_) => Value::Array(list(&column.as_list::<i64>().value(row))),
        DataType::Struct(fields) => {
            let parts = fields.iter().zip(column.as_struct().columns());
            // A field that is null was not there where the rows were written.
            let there = parts.filter(|(_, part)| !part.is_null(row));
            Value::Object(there.map(|(f, part)| (f.name().clone(), value(part, row, depth + 1))).collect())
        }
        DataType::Boolean => Value::Bool(column.as_boolean().value(row)),
        kind if kind.is_integer() => {
            let one = column.slice(row, 1);
            match cells(&one).pop().flatten() {
                Some(Cell::Num(n)) if n.abs() < 9e15 => Value::from(n as i64),
                _ => Value::Null,
            }
        }
        _ => match cells(&column.slice(row, 1)).pop().flatten() {
            Some(Cell::Num(n)) => Value::from(n),
            Some(Cell::Bool(b)) => Value::Bool(b),
            Some(Cell::Text(text)) => Value::String(text),
            None => Value::Null,
        },
    }
}
