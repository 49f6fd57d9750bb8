//! Parquet: one document a row.

use std::fs::File;

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::{DataType, Float64Type},
    util::display::{ArrayFormatter, FormatOptions},
};
use llmp_stdlib::{Problem, arg::FilePath};

use super::shape::{self, DeclaredColumns, Records as Shape};
use super::{Body, OnError, Reader, Record, Records, SourceFile, Tap};
use crate::{
    document::{Cell, Document},
    error::{At, DataError, Result},
};

llmp_stdlib::def! {
    /// Parquet files: one document a row, the other columns beside it.
    ///
    /// Numbers, truth values and text keep their type, other types become text. A row without text is a bad record;
    /// so is a file that is not Parquet, or is cut.
    ///
    /// ```llmp
    /// source owm = parquet("data:open-web-math/*.parquet")
    /// ```
    Parquet = "parquet", rev 1, source Docs, to shape::state, check fields, lacks not_yet {
        /// Files, as in `text`.
        glob: FilePath,
        /// The column that holds the text.
        text: String = "\"text\"",
        /// What one record is.
        r#as: Shape = "Docs",
        /// Columns with their types: `{ lang = Text, stars = Num }`. Without them the columns are open until they are locked.
        columns: Option<DeclaredColumns> = "none",
        /// What happens to a row that cannot be read.
        on_error: OnError = "count",
    }
}

fn fields(it: &Parquet) -> Vec<Problem> {
    shape::fields(it.r#as, it.columns.as_ref())
}

fn not_yet(it: &Parquet) -> Vec<Problem> {
    shape::not_read_yet(it.r#as)
}

/// Rows decoded at a time.
const BATCH: usize = 1024;

impl Reader for Parquet {
    fn name(&self) -> &'static str {
        "parquet"
    }

    fn glob(&self) -> &str {
        &self.glob.0
    }

    fn on_error(&self) -> OnError {
        self.on_error
    }

    fn open(&self, file: &SourceFile, _tap: Tap) -> Result<Records> {
        let bad =
            |index: u64, at, what| Box::new(std::iter::once(Ok(Record { index, at, body: Body::Bad(what) })));
        let opened = File::open(&file.path).map_err(|e| DataError::io("open", &file.path, e))?;
        let batches = ParquetRecordBatchReaderBuilder::try_new(opened)
            .and_then(|builder| builder.with_batch_size(BATCH).build());
        let batches = match batches {
            Ok(batches) => batches,
            Err(e) if file.bytes == 0 => return Ok(bad(0, At::File, format!("the file is empty ({e})"))),
            Err(e) => return Ok(bad(0, At::File, format!("not a whole Parquet file: {e}"))),
        };
        let (label, text) = (file.label.clone(), self.text.clone());
        let mut next = 0;
        let mut failed = false;
        let rows = batches.map_while(move |batch| {
            if failed {
                return None;
            }
            let first = next;
            let records: Vec<Result<Record>> = match batch {
                Ok(batch) => {
                    next += batch.num_rows() as u64;
                    rows(&batch, &label, &text, first).into_iter().map(Ok).collect()
                }
                Err(e) => {
                    failed = true;
                    let body = Body::Bad(format!("the rows from here on cannot be decoded: {e}"));
                    vec![Ok(Record { index: first, at: At::Record(first + 1), body })]
                }
            };
            Some(records)
        });
        Ok(Box::new(rows.flatten()))
    }

    fn parse(&self, _file: &SourceFile, _index: u64, _bytes: Vec<u8>) -> Body {
        Body::Bad("a Parquet row is not bytes".into())
    }
}

/// The documents of a batch whose first row has the number `first`.
fn rows(batch: &RecordBatch, label: &str, text: &str, first: u64) -> Vec<Record> {
    let names: Vec<String> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
    let columns: Vec<Vec<Option<Cell>>> = batch.columns().iter().map(|column| cells(column)).collect();
    let document = |row: usize| {
        let index = first + row as u64;
        let mut doc = Document::new(format!("{label}#{index}"), "");
        let mut found = Err(format!("there is no column `{text}`"));
        for (name, cells) in names.iter().zip(&columns) {
            match (name == text, &cells[row]) {
                (true, Some(Cell::Text(own))) => {
                    doc.text = own.clone();
                    found = Ok(());
                }
                (true, None) => found = Err(format!("the column `{text}` is null")),
                (true, Some(other)) => found = Err(format!("the column `{text}` is {}", other.type_name())),
                (false, Some(cell)) => {
                    doc.columns.insert(name.clone(), cell.clone());
                }
                (false, None) => {}
            }
        }
        let body = match found {
            Ok(()) => Body::Document(doc),
            Err(what) => Body::Bad(what),
        };
        Record { index, at: At::Record(index + 1), body }
    };
    (0..batch.num_rows()).map(document).collect()
}

/// A column as cells; null and what cannot be shown are `None`.
fn cells(column: &dyn Array) -> Vec<Option<Cell>> {
    match column.data_type() {
        DataType::Boolean => column.as_boolean().iter().map(|cell| cell.map(Cell::Bool)).collect(),
        kind if kind.is_numeric() && !matches!(kind, DataType::Decimal128(..) | DataType::Decimal256(..)) => {
            match arrow::compute::cast(column, &DataType::Float64) {
                Ok(wide) => {
                    wide.as_primitive::<Float64Type>().iter().map(|cell| cell.map(Cell::Num)).collect()
                }
                Err(_) => vec![None; column.len()],
            }
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
