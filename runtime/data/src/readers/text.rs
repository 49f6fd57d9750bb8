//! Plain text: one document a file.

use std::io::Read;

use llmp_stdlib::arg::FilePath;

use super::stream::MAX_RECORD;
use super::{Body, Decoded, OnError, Reader, Records, SourceFile, Tap, only};
use crate::{
    document::Document,
    error::{DataError, Result},
};

llmp_stdlib::def! {
    /// Plain text, UTF-8, one document a file; compressed files (`.gz`, `.zst`) are read as they are.
    ///
    /// A byte order mark is left out. A file that is empty, not UTF-8, damaged, or longer than 64 MiB is a bad record. A folder
    /// of Markdown is read so as well: `text("notes/**/*.md")`.
    ///
    /// ```llmp
    /// source books = text("books/*.txt")
    /// ```
    Text = "text", rev 1, source Docs {
        /// Files: `*` stays inside a folder, `**` crosses folders; `name:` starts at a root given by `--root`.
        glob: FilePath,
        /// What happens to a file that cannot be read as text.
        on_error: OnError = "count",
    }
}

impl Reader for Text {
    fn name(&self) -> &'static str {
        "text"
    }

    fn glob(&self) -> &str {
        &self.glob.0
    }

    fn on_error(&self) -> OnError {
        self.on_error
    }

    fn open(&self, file: &SourceFile, tap: Tap) -> Result<Records> {
        let mut bytes = Vec::new();
        let whole = |decoded: Decoded| decoded.take(MAX_RECORD + 1).read_to_end(&mut bytes);
        let body = match Decoded::new(tap).and_then(whole) {
            Ok(0) => Body::Bad("the file is empty".into()),
            Ok(n) if n as u64 > MAX_RECORD => Body::Bad(format!("longer than {MAX_RECORD} bytes")),
            Ok(_) => Body::Bytes(bytes),
            Err(e) if Decoded::is_fatal(&e) => return Err(DataError::io("read", &file.path, e)),
            Err(e) => Body::Bad(Decoded::explain(&e)),
        };
        Ok(only(body))
    }

    fn parse(&self, file: &SourceFile, index: u64, bytes: Vec<u8>) -> Body {
        match utf8(bytes) {
            Ok(text) => Body::Document(Document::new(format!("{}#{index}", file.label), text)),
            Err(what) => Body::Bad(what),
        }
    }
}

/// Text of UTF-8 bytes without a byte order mark, or where they stop being UTF-8.
pub(super) fn utf8(mut bytes: Vec<u8>) -> Result<String, String> {
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        let line = e.as_bytes()[..at].iter().filter(|&&b| b == b'\n').count() + 1;
        format!("not UTF-8: line {line}, byte {at} is 0x{:02x}", e.as_bytes()[at])
    })
}
