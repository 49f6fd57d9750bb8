//! Plain text: one document a file.

use std::io::Read;

use llmp_stdlib::arg::FilePath;

use super::stream::MAX_RECORD;
use super::{Body, Decoded, OnError, Reader, Record, Records, SourceFile, Tap, only};
use crate::{
    document::Document,
    error::{At, DataError, Result},
    steps::sentences,
};

llmp_stdlib::choices! {
    /// What of a text becomes a document.
    Piece = "piece" {
        /// All of a file.
        File = "file",
        /// What stands between empty lines.
        Paragraph = "paragraph",
        /// A sentence, its words with one space between them.
        Sentence = "sentence",
    }
}

llmp_stdlib::def! {
    /// Plain text, UTF-8, one document a file, or one a paragraph or sentence with `per`; compressed files (`.gz`, `.zst`) are read as they are.
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
        /// What becomes a document; the ids of those of a file count from 0.
        per: Piece = "file",
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
        Ok(match (self.per, body) {
            (Piece::File, body) | (_, body @ (Body::Bad(_) | Body::Document(_) | Body::Skipped(_))) => {
                only(body)
            }
            (per, Body::Bytes(bytes)) => match utf8(bytes) {
                Ok(text) => Box::new(pieces(per, &text).into_iter().zip(0..).map(|(piece, index)| {
                    Ok(Record { index, at: At::Record(index + 1), body: Body::Bytes(piece.into_bytes()) })
                })),
                Err(what) => only(Body::Bad(what)),
            },
        })
    }

    fn parse(&self, file: &SourceFile, index: u64, bytes: Vec<u8>) -> Body {
        match utf8(bytes) {
            Ok(text) => Body::Document(Document::new(format!("{}#{index}", file.label), text)),
            Err(what) => Body::Bad(what),
        }
    }
}

/// The paragraphs or sentences of a text. No sentence crosses an empty line.
fn pieces(per: Piece, text: &str) -> Vec<String> {
    let mut paragraphs = vec![String::new()];
    for line in text.lines() {
        let last = paragraphs.len() - 1;
        match (line.trim().is_empty(), paragraphs[last].is_empty()) {
            (true, true) => {}
            (true, false) => paragraphs.push(String::new()),
            (false, fresh) => {
                paragraphs[last].extend(Some('\n').filter(|_| !fresh));
                paragraphs[last].push_str(line);
            }
        }
    }
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    if per == Piece::Sentence {
        return paragraphs.iter().flat_map(|paragraph| sentences::cut(paragraph)).collect();
    }
    paragraphs
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_at_empty_lines_and_at_ends_of_sentences() {
        let text = "CHAPTER 1.\n\nCall me Ishmael. Some\nyears ago\n \n\nI thought.\n";
        assert_eq!(
            pieces(Piece::Paragraph, text),
            ["CHAPTER 1.", "Call me Ishmael. Some\nyears ago", "I thought."]
        );
        let sentences = ["CHAPTER 1.", "Call me Ishmael.", "Some years ago", "I thought."];
        assert_eq!(pieces(Piece::Sentence, text), sentences);
        assert!(pieces(Piece::Sentence, " \n").is_empty());
    }
}
