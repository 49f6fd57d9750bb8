//! Parquet: one document a row.

use std::fs::File;

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use arrow::{array::RecordBatch, error::ArrowError};
use llmp_stdlib::{Problem, arg::FilePath};

use super::shape::{self, DeclaredColumns, Records as Shape};
use super::{OnError, Reader, Records, SourceFile, Tap, batches};
use crate::error::Result;

llmp_stdlib::def! {
    /// Parquet files: one document a row, the other columns beside it.
    ///
    /// Numbers, truth values and text keep their type, other types become text. A row without text is a bad record;
    /// so is a file that is not Parquet, or is cut.
    ///
    /// ```llmp
    /// source owm = parquet("data:open-web-math/*.parquet")
    /// ```
    Parquet = "parquet", rev 1, source Docs, to shape::state, check fields {
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

/// Most rows decoded at a time.
const BATCH: i64 = 1024;
/// Bytes decoded at a time, about.
const BATCH_BYTES: i64 = 16 << 20;

/// The batches of a file. Their number of rows follows from the size of the rows, so that a batch fits the memory.
fn opened(file: File) -> Result<impl Iterator<Item = Result<RecordBatch, ArrowError>> + Send, String> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| e.to_string())?;
    let groups = builder.metadata().row_groups();
    let largest = groups.iter().map(|group| group.total_byte_size().max(1) / group.num_rows().max(1)).max();
    let rows = (BATCH_BYTES / largest.unwrap_or(1).max(1)).clamp(1, BATCH);
    builder.with_batch_size(rows as usize).build().map_err(|e| e.to_string())
}

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
        let form = batches::Form {
            records: self.r#as,
            text: self.text.clone(),
            columns: self.columns.clone(),
            label: file.label.clone(),
        };
        form.read(file, "Parquet", opened)
    }
}
