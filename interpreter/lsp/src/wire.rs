//! Shapes of the protocol: what is read, and what is written as JSON.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use llmp_grammar::{FileId, Span};
use llmp_interpreter::ide::lines::{Encoding, Lines, Point};
use serde::Deserialize;
use serde_json::{Value as Json, json};

/// A place as the protocol writes it.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Position {
    pub(crate) line: u32,
    pub(crate) character: u32,
}

impl From<Position> for Point {
    fn from(at: Position) -> Point {
        Point { line: at.line, column: at.character }
    }
}

/// A range.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Range {
    pub(crate) start: Position,
    pub(crate) end: Position,
}

/// A document by its address.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Document {
    pub(crate) uri: String,
}

/// What most requests carry.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct At {
    pub(crate) text_document: Document,
    pub(crate) position: Position,
}

/// What requests about a whole document carry.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Of {
    pub(crate) text_document: Document,
}

/// What requests about a part of a document carry.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Within {
    pub(crate) text_document: Document,
    pub(crate) range: Range,
}

/// Why a request has no answer.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: i32,
    pub(crate) message: String,
}

impl Failure {
    /// The client asked for something that cannot be done: shown to people.
    pub(crate) fn failed(message: impl Into<String>) -> Failure {
        Failure { code: -32803, message: message.into() }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Failure {
        Failure { code: -32602, message: format!("parameters that cannot be read: {error}") }
    }
}

/// An answer.
pub(crate) type Answer = Result<Json, Failure>;

/// The path of an address: that of a file, decoded; of anything else the address itself.
pub(crate) fn path_of(uri: &str) -> String {
    let Some(rest) = uri.strip_prefix("file://") else { return uri.to_owned() };
    let path = rest.find('/').map_or("", |at| &rest[at..]);
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = after.get(..2).filter(|_| first == b'%').and_then(|h| std::str::from_utf8(h).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    let path = String::from_utf8_lossy(&bytes).into_owned();
    // `file:///c:/x` is `c:/x`.
    let drive = path.as_bytes().get(1).is_some_and(u8::is_ascii_alphabetic) && path.get(2..3) == Some(":");
    if drive { path[1..].to_owned() } else { path }
}

/// The address of a path.
pub fn uri_of(path: &str) -> String {
    if path.starts_with("untitled:") || path.contains("://") {
        return path.to_owned();
    }
    let mut uri = String::from(if path.starts_with('/') { "file://" } else { "file:///" });
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                uri.push(char::from(byte))
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

/// A range between two points.
pub(crate) fn range(start: Point, end: Point) -> Json {
    let one = |p: Point| json!({ "line": p.line, "character": p.column });
    json!({ "start": one(start), "end": one(end) })
}

/// The range of a span of a text.
pub(crate) fn range_in(text: &str, lines: &Lines, span: Span, encoding: Encoding) -> Json {
    range(lines.point(text, span.start, encoding), lines.point(text, span.end, encoding))
}

/// Ranges in the files of an analysis; line tables are made once.
pub(crate) struct Places<'a> {
    analysis: &'a llmp_interpreter::ide::Analysis,
    encoding: Encoding,
    lines: RefCell<BTreeMap<FileId, Rc<Lines>>>,
}

impl<'a> Places<'a> {
    /// Places of a program.
    pub(crate) fn new(analysis: &'a llmp_interpreter::ide::Analysis, encoding: Encoding) -> Places<'a> {
        Places { analysis, encoding, lines: RefCell::default() }
    }

    /// The line table of a file.
    pub(crate) fn lines(&self, file: FileId) -> Rc<Lines> {
        let mut known = self.lines.borrow_mut();
        let lines = known
            .entry(file)
            .or_insert_with(|| Rc::new(Lines::new(self.analysis.program.sources.text(file))));
        Rc::clone(lines)
    }

    /// The range of a span.
    pub(crate) fn range(&self, span: Span) -> Json {
        range_in(self.analysis.program.sources.text(span.file), &self.lines(span.file), span, self.encoding)
    }

    /// The place of an offset.
    pub(crate) fn point(&self, file: FileId, offset: u32) -> Point {
        self.lines(file).point(self.analysis.program.sources.text(file), offset, self.encoding)
    }
}

/// Markdown.
pub(crate) fn markdown(text: &str) -> Json {
    json!({ "kind": "markdown", "value": text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_paths_are_two_ways() {
        for path in ["/a/b c/ä.llmp", "/x/%41.llmp", "/plain/main.llmp"] {
            assert_eq!(path_of(&uri_of(path)), path);
        }
        assert_eq!(path_of("file:///c%3A/x.llmp"), "c:/x.llmp");
        assert_eq!(uri_of("c:/x.llmp"), "file:///c%3A/x.llmp");
        assert_eq!(path_of("untitled:Untitled-1"), "untitled:Untitled-1");
    }
}
