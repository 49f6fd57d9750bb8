//! Arrow IPC: one document a row.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Cursor, Read},
};

use ::arrow::ipc::{reader::StreamReader, root_as_message};
use llmp_stdlib::{Problem, arg::FilePath};

use super::shape::{self, DeclaredColumns, Records as Shape};
use super::{OnError, Reader, Records, SourceFile, Tap, batches};
use crate::error::Result;

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

/// The batches of a file. A file with a footer holds a stream behind its mark, so that both are read in order and no place is
/// taken from the file.
fn opened(file: File) -> Result<StreamReader<BufReader<Messages>>, String> {
    let mut file = BufReader::with_capacity(1 << 16, file);
    let start = file.fill_buf().map_err(|e| e.to_string())?;
    if start.starts_with(b"ARROW1") {
        // Writers pad the mark to 8 or 64 bytes.
        let padding = start[6..].iter().take_while(|byte| **byte == 0).count();
        file.consume(6 + padding);
    }
    let messages = Messages { file, ready: Cursor::new(Vec::new()), done: false };
    StreamReader::try_new(BufReader::with_capacity(1 << 16, messages), None).map_err(|e| e.to_string())
}

/// Most bytes of a message's description.
const MAX_HEAD: u32 = 16 << 20;
/// Most bytes of a batch, packed or not.
const MAX_BATCH: i64 = 512 << 20;

/// The messages of a stream, each looked at before the decoder sees it: what it says about lengths decides how much memory
/// the decoder takes.
struct Messages {
    file: BufReader<File>,
    ready: Cursor<Vec<u8>>,
    done: bool,
}

impl Read for Messages {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.done && self.ready.position() == self.ready.get_ref().len() as u64 {
            self.ready = Cursor::new(Vec::new());
            self.next()?;
        }
        self.ready.read(buffer)
    }
}

impl Messages {
    /// Reads the next message.
    fn next(&mut self) -> io::Result<()> {
        let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let mut bytes = Vec::new();
        if self.take(4, &mut bytes)? == 0 {
            self.done = true;
            self.ready = Cursor::new(bytes);
            return Ok(());
        }
        if bytes == [0xff; 4] {
            self.take(4, &mut bytes)?;
        }
        let length = bytes.last_chunk::<4>().map_or(0, |length| u32::from_le_bytes(*length));
        if length == 0 {
            self.done = true;
            self.ready = Cursor::new(bytes);
            return Ok(());
        }
        if length > MAX_HEAD {
            return Err(bad("a message is described in more than 16 MiB"));
        }
        let start = bytes.len();
        self.take(length.into(), &mut bytes)?;
        let message = root_as_message(&bytes[start..]).map_err(|e| bad(&e.to_string()))?;
        let body = message.bodyLength();
        if !(0..=MAX_BATCH).contains(&body) {
            return Err(bad("a batch of more than 512 MiB"));
        }
        let batch = message
            .header_as_record_batch()
            .or_else(|| message.header_as_dictionary_batch().and_then(|dictionary| dictionary.data()));
        let packed = batch.filter(|batch| batch.compression().is_some()).and_then(|batch| batch.buffers());
        let places: Vec<(i64, i64)> =
            packed.iter().flatten().map(|buffer| (buffer.offset(), buffer.length())).collect();
        let start = bytes.len();
        self.take(body as u64, &mut bytes)?;
        let mut unpacked = 0i64;
        for (offset, _) in places.iter().filter(|(_, length)| *length >= 8) {
            let at = usize::try_from(*offset).ok().and_then(|at| at.checked_add(start));
            let length = at.and_then(|at| bytes.get(at..at.checked_add(8)?)?.first_chunk::<8>());
            let length = length.map(|length| i64::from_le_bytes(*length)).unwrap_or_default();
            unpacked = unpacked.saturating_add(length.max(0));
        }
        if unpacked > MAX_BATCH {
            return Err(bad("a batch of more than 512 MiB"));
        }
        self.ready = Cursor::new(bytes);
        Ok(())
    }

    /// Appends up to `most` bytes of the file.
    fn take(&mut self, most: u64, bytes: &mut Vec<u8>) -> io::Result<usize> {
        (&mut self.file).take(most).read_to_end(bytes)
    }
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
        let form = batches::Form {
            records: self.r#as,
            text: self.text.clone(),
            columns: self.columns.clone(),
            label: file.label.clone(),
        };
        form.read(file, "Arrow", opened)
    }
}
