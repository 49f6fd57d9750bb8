//! Arrow IPC: one document a row.

use std::{
    fs::File,
    io::{BufReader, Read, Seek, SeekFrom},
};

use ::arrow::{
    array::RecordBatch,
    error::ArrowError,
    ipc::reader::{FileReader, StreamReader},
};
use llmp_stdlib::{Problem, arg::FilePath};

use super::shape::{self, DeclaredColumns, Records as Shape};
use super::{Body, OnError, Reader, Records, SourceFile, Tap, batches};
use crate::error::{DataError, Result};

llmp_stdlib::def! {
    /// Arrow IPC files (`.arrow`, `.feather`) and streams (the files of `datasets`): one document a row, the other columns
    /// beside it.
    ///
    /// Numbers, truth values and text keep their type, lists and structures become JSON text, other types become text. A row
    /// without text is a bad record; so is a file that is not Arrow, or is cut.
    ///
    /// ```llmp
    /// source pages = arrow("shards/*.arrow")
    /// ```
    Arrow = "arrow", rev 1, source Docs, to shape::state, check fields {
        /// Files, as in `text`.
        glob: FilePath,
        /// The column that holds the text.
        text: String = "\"text\"",
        /// What one record is.
        r#as: Shape = "Docs",
        /// Columns with their types. Without them the columns are open until they are locked.
        columns: Option<DeclaredColumns> = "none",
        /// What happens to a row that cannot be read.
        on_error: OnError = "count",
    }
}

fn fields(it: &Arrow) -> Vec<Problem> {
    shape::fields(it.r#as, it.columns.as_ref())
}

type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>;

/// The batches of a file: with a footer where it begins with `ARROW1`, else a stream.
fn opened(mut file: File) -> Result<Batches, String> {
    let mut magic = [0; 6];
    let there = file.read(&mut magic).and_then(|n| file.seek(SeekFrom::Start(0)).map(|_| n));
    let there = there.map_err(|e| e.to_string())?;
    let file = BufReader::with_capacity(1 << 16, file);
    if magic[..there] == *b"ARROW1" {
        let reader = FileReader::try_new(file, None).map_err(|e| e.to_string())?;
        return Ok(Box::new(reader));
    }
    let reader = StreamReader::try_new(file, None).map_err(|e| e.to_string())?;
    Ok(Box::new(reader))
}

impl Reader for Arrow {
    fn name(&self) -> &'static str {
        "arrow"
    }

    fn glob(&self) -> &str {
        &self.glob.0
    }

    fn on_error(&self) -> OnError {
        self.on_error
    }

    fn open(&self, file: &SourceFile, _tap: Tap) -> Result<Records> {
        let handle = File::open(&file.path).map_err(|e| DataError::io("open", &file.path, e))?;
        let form = batches::Form {
            records: self.r#as,
            text: self.text.clone(),
            columns: self.columns.clone(),
            label: file.label.clone(),
        };
        Ok(match batches::guarded(|| opened(handle)) {
            Ok(all) => form.rows(all),
            Err(e) if file.bytes == 0 => batches::no_file(format!("the file is empty ({e})")),
            Err(e) => batches::no_file(format!("not a whole Arrow file: {e}")),
        })
    }

    fn parse(&self, _file: &SourceFile, _index: u64, _bytes: Vec<u8>) -> Body {
        Body::Bad("an Arrow row is not bytes".into())
    }
}
